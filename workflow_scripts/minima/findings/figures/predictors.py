"""What predicts AdaGrad's minimizer, and at what cost."""

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from minima.findings.curves import places
from minima.findings.measures import rms
from minima.findings.stats import mean_interval
from minima.findings.style import LOOKS, number_of_seeds, panels

CAPTION = (
    "Relative distance on test points of predicted minimizers from where AdaGrad really ends: the "
    "linearized network, and the network itself. Behind each predictor what it takes: steps of the "
    "linearized network's training (preconditioned_end), iterations (self_consistent), pieces of the flow "
    "(adagrad_flow); a closed form takes none. Points: means over seeds; bars: 95 % t intervals; "
    "runs that did not converge are left out, n counts the others."
)
NAMES = ["linearized", "preconditioned_start", "preconditioned_end", "self_consistent", "adagrad_flow"]


def tabulate(tree: xr.DataTree, block: str) -> pd.DataFrame:
    """One row per place in the grid, target and predictor, of the block's full-batch AdaGrad."""
    trained, predicted = tree[f"trained/{block}"].to_dataset(), tree[f"predicted/{block}"].to_dataset()
    if "optimizer" in trained.dims:
        trained, predicted = trained.sel(optimizer="adagrad"), predicted.sel(optimizer="adagrad")
    targets = {
        "linearized network": predicted.test.sel(predictor="linearized_trained", drop=True),
        "network": trained.test.where(trained.status == "converged"),
    }
    rows = []
    for panel, place in places(trained.status, "seed"):
        for name in [name for name in NAMES if name in predicted.predictor.values]:
            here = predicted.sel(place).sel(predictor=name, drop=True)
            for target, f in targets.items():
                gap = rms(here.test - f.sel(place)) / rms(f.sel(place))
                steps = float(here.steps.median("seed"))
                rows.append((panel, target, name, *mean_interval(gap.values), steps))
    columns = ["panel", "series", "predictor", "estimate", "low", "high", "n", "steps"]
    return pd.DataFrame(rows, columns=columns)


def draw(table: pd.DataFrame) -> Figure:
    """A panel per place in the grid, a row per predictor."""
    titles, names = list(dict.fromkeys(table.panel)), list(dict.fromkeys(table.predictor))
    figure, (axes,) = panels(1, len(titles), 3.4, 0.42 * len(names) + 1.0)
    for ax, title in zip(axes, titles, strict=True):
        here = table[table.panel == title]
        ax.set_xscale("log")
        for shift, (series, points) in zip((-0.12, 0.12), here.groupby("series", sort=False), strict=False):
            y = np.array([names.index(name) for name in points.predictor]) + shift
            colour, marker, _ = LOOKS[str(series)]
            ax.hlines(y, points.low, points.high, color=colour, linewidth=1.3)
            ax.plot(points.estimate, y, marker, color=colour, markersize=4, label=f"from the {series}")
        ax.set_title(", ".join(filter(None, [title, number_of_seeds(here)])))
        ax.set_xlabel("relative distance on test points")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.xaxis.set_minor_formatter(NullFormatter())
    first = table.drop_duplicates("predictor").set_index("predictor")
    labels = [f"{n} ({first.steps[n]:.0f})" if first.steps[n] else n for n in names]
    axes[0].set_yticks(range(len(names)), labels)
    axes[0].invert_yaxis()
    figure.legend(*axes[-1].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure
