"""How far apart the minimizers of different optimizers are: a map, optimizer by optimizer."""

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from minima.findings.curves import places
from minima.findings.measures import rms
from minima.findings.stats import mean_interval
from minima.findings.style import panels
from minima.findings.words import label

CAPTION = (
    "Distance in function space between the minimizers that two optimizers reach from the same start, ‖f "
    "− g‖ over the root mean square of both norms on test points: networks; what network_at_step, where "
    "asked, predicts of them without training; and their linearizations trained in the same way. Numbers: "
    "mean over seeds ± standard deviation between seeds. Dark is far, and an empty cell below the "
    "diagonal has no seed for which both converged."
)
AXIS = "optimizer"
SOURCES = {"network": "networks", "network_at_step": "predicted", "linearized_trained": "linearized"}


def tabulate(tree: xr.DataTree, block: str) -> pd.DataFrame:
    """One row per place in the grid, source and pair of optimizers; each pair once."""
    trained, predicted = tree[f"trained/{block}"].to_dataset(), tree[f"predicted/{block}"].to_dataset()
    functions = {"network": trained.test.where(trained.status == "converged")}
    known = [name for name in SOURCES if name in predicted.predictor.values]
    functions |= {name: predicted.test.sel(predictor=name, drop=True) for name in known}
    rows = []
    for source, f in functions.items():
        names = f[AXIS].values.tolist()
        for panel, place in places(trained.status, AXIS, "seed"):
            title = ", ".join(filter(None, [panel, SOURCES[source]]))
            here = f.sel(place)
            for i, one in enumerate(names):
                rows += [(title, label(one), label(two), *_apart(here, one, two)) for two in names[:i]]
    columns = ["panel", "y_label", "x_label", "estimate", "low", "high", "n", "spread"]
    return pd.DataFrame(rows, columns=columns)


def _apart(f: xr.DataArray, one: str, two: str) -> tuple[float, float, float, int, float]:
    """Mean, 95 % interval, seeds and their standard deviation of the distance."""
    a, b = f.sel({AXIS: one}, drop=True), f.sel({AXIS: two}, drop=True)
    values = (rms(a - b) / np.sqrt((rms(a) ** 2 + rms(b) ** 2) / 2)).values
    known = values[np.isfinite(values)]
    return *mean_interval(values), float(known.std(ddof=1)) if len(known) > 1 else np.nan


def draw(table: pd.DataFrame) -> Figure:
    """A panel per place and source, two in a row; the same colours in all."""
    titles = list(dict.fromkeys(table.panel))
    across, down = (list(dict.fromkeys(table[label])) for label in ("x_label", "y_label"))
    columns = min(len(titles), 2)
    figure, rows = panels(
        -(-len(titles) // columns), columns, 0.72 * len(across) + 0.6, 0.62 * len(down) + 0.8
    )
    most = float(np.nanmax([*table.estimate, 1e-3]))
    axes = [ax for row in rows for ax in row]
    for ax, title in zip(axes, titles, strict=False):
        _draw_map(ax, table[table.panel == title], across, down, most)
        ax.set_title(title)
    for ax in axes[len(titles) :]:
        ax.remove()
    return figure


def _draw_map(ax: Axes, here: pd.DataFrame, across: list[str], down: list[str], most: float) -> None:
    grid = np.full((len(down), len(across)), np.nan)
    for row in here.itertuples():
        y, x = down.index(row.y_label), across.index(row.x_label)
        grid[y, x] = row.estimate
        if np.isfinite(row.estimate):
            spread = f"\n±{row.spread:.1g}" if np.isfinite(row.spread) else ""
            ink = "white" if row.estimate > 0.6 * most else "black"
            ax.text(x, y, f"{row.estimate:.2g}{spread}", ha="center", va="center", fontsize=6.5, color=ink)
    ax.imshow(grid, cmap="cividis_r", vmin=0, vmax=most, aspect="auto")
    ax.grid(False)
    ax.set_xticks(range(len(across)), across, rotation=45, ha="right")
    ax.set_yticks(range(len(down)), down)
    ax.tick_params(length=0)
