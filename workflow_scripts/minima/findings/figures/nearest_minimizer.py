"""The answer over the grid: which minimizer the networks of each place converged to."""

from collections import Counter

import matplotlib as mpl
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from minima.findings.curves import places
from minima.findings.stats import mean_interval
from minima.findings.style import ink_on, panels
from minima.findings.words import label

CAPTION = (
    "The minimizer nearest to the trained networks among all that theory computed: at each place of the grid "
    "the one that is nearest for most seeds, and for how many of them; the mean distance from it on test "
    "points relative to the networks' norm, and its 95 % t interval. Where all seeds share their "
    "data, the last line is that distance over the distance between two seeds' networks: below 1, the seed "
    "matters more. Hatched: no network converged, and what became of them; others that did not converge are "
    "left out, the second number counts those that did."
)
COLUMNS = ["panel", "x_axis", "x_label", "y_axis", "y_label", "nearest", "votes", "n"]
COLUMNS += ["estimate", "low", "high", "spread"]
CELL = 1.15  # inches


def tabulate(tree: xr.DataTree, block: str) -> pd.DataFrame:
    """One row per place of the grid: the first axis along x, the second along y, a panel per place of others.

    `spread` is the distance over the seed spread, NaN where each seed has data of its own.
    """
    node, status = tree[f"nearest/{block}"].to_dataset(), tree[f"trained/{block}"].ds.status
    x, y, *_ = [*(str(dim) for dim in status.dims if dim != "seed"), "", ""]
    rows = []
    for panel, here in places(status, x, y, "seed"):
        for _, inner in places(status.sel(here), "seed"):
            place = here | inner
            axes = [part for axis in (x, y) for part in (axis, label(inner.get(axis, "")))]
            rows.append((panel, *axes, *_answer(node.sel(place), status.sel(place))))
    return pd.DataFrame(rows, columns=COLUMNS)


def _answer(node: xr.Dataset, status: xr.DataArray) -> tuple:
    """The name that most converged seeds give (of two, the nearer), how many of how many, the mean distance
    with its interval, and that over the spread."""
    converged = (status == "converged").values
    names = node.nearest.values[converged] if converged.any() else status.values
    counts = Counter(names.tolist())
    distances = dict(zip(node.minimizer.values, node.distance_to.mean("seed").values, strict=True))
    name = min(counts, key=lambda name: (-counts[name], distances.get(name, np.inf)))
    votes = counts[name]
    if name not in distances:
        return name, votes, int(converged.sum()), np.nan, np.nan, np.nan, np.nan
    distance = mean_interval(node.distance_to.sel(minimizer=name).values)
    spread = distance.estimate / float(node.seed_spread) if "seed_spread" in node else np.nan
    return name, votes, distance.n, *distance[:3], spread


def draw(table: pd.DataFrame) -> Figure:
    """A map per panel; every answer is written in its cell, so that colour only helps."""
    names = sorted(set(table.nearest[table.estimate.notna()]))
    shades = mpl.colormaps["cividis"](np.linspace(0.95, 0.25, max(len(names), 2)))
    colours = dict(zip(names, shades, strict=False))
    titles = list(dict.fromkeys(table.panel))
    table = table.astype({"x_label": str, "y_label": str})
    wide, high = (list(dict.fromkeys(table[label])) for label in ("x_label", "y_label"))
    size = {"width": CELL * len(wide) + 0.8, "height": CELL * len(high) * 0.65 + 0.8}
    figure, (row,) = panels(1, len(titles), **size)
    for ax, title in zip(row, titles, strict=True):
        ax.grid(False)
        for cell in table[table.panel == title].itertuples():
            _draw_cell(ax, wide.index(cell.x_label), high.index(cell.y_label), cell, colours)
        ax.set_xticks(range(len(wide)), wide)
        ax.set_yticks(range(len(high)), high)
        ax.set(xlim=(-0.5, len(wide) - 0.5), ylim=(-0.5, len(high) - 0.5), title=title)
        ax.set_xlabel(table.x_axis.iloc[0])
        ax.tick_params(length=0)
    row[0].set_ylabel(table.y_axis.iloc[0])
    return figure


def _draw_cell(ax: Axes, x: int, y: int, cell: tuple, colours: dict[str, np.ndarray]) -> None:
    answered = cell.nearest in colours and np.isfinite(cell.estimate)
    colour = colours[cell.nearest] if answered else (1.0, 1.0, 1.0, 1.0)
    look = {"facecolor": colour, "edgecolor": "white"} if answered else {"fill": False, "hatch": "///"}
    ax.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, linewidth=0.9, **look))
    box = None if answered else {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
    ax.text(
        x, y, _words(cell, answered), ha="center", va="center", fontsize=6.5, color=ink_on(colour), bbox=box
    )


def _words(cell: tuple, answered: bool) -> str:
    if not answered:
        return f"{cell.nearest}\n{cell.votes} networks"
    lines = [cell.nearest.replace(" ", "\n", 1), f"{cell.votes} of {cell.n} seeds", f"{cell.estimate:.2g}"]
    if np.isfinite(cell.low):
        lines[-1] += f" [{cell.low:.2g}, {cell.high:.2g}]"
    if np.isfinite(cell.spread):
        lines.append(f"{cell.spread:.2g} of spread")
    return "\n".join(lines)
