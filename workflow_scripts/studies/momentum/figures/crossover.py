"""From the power law to the exponential: Nesterov's method long after its window."""

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from minima.findings.style import GUIDE, panels, shades
from minima.findings.trajectories import relative_loss
from studies.momentum.curves import local_maxima, slowest

CAPTION = (
    "Local maxima of the loss times k^r against kηλmin, of the first network of each r and divided by the "
    "first maximum beyond 0.1. A power law k^(−r) is level; dotted: the exponential e^(−kηλmin) that "
    "follows it, at half gradient descent's exponent. Nesterov's schedule is sublinear for a while only."
)
COLUMNS = ["series", "x", "estimate"]


def tabulate(tree: xr.DataTree, block: str) -> pd.DataFrame:
    """One row per r and maximum."""
    node = tree[f"trained/{block}"].to_dataset().isel(seed=0)
    rows: list[tuple] = []
    for r in node.r.values.tolist():
        losses = relative_loss(node).sel(r=r).dropna("step")
        steps, heights = local_maxima(losses.step.values.astype(float), losses.values)
        times = steps * float(slowest(node).mean())
        levels = heights * steps**r
        rows += [(f"r = {r:g}", *row) for row in zip(times, levels / levels[times > 0.1][0], strict=True)]
    return pd.DataFrame(rows, columns=COLUMNS)


def draw(table: pd.DataFrame) -> Figure:
    figure, ((ax,),) = panels(1, 1, width=4.2, height=3.2)
    names = list(dict.fromkeys(table.series))
    for colour, name in zip(shades(len(names)), names, strict=True):
        here = table[table.series == name]
        ax.plot(here.x, here.estimate, color=colour, linewidth=1.1, marker=".", markersize=3, label=name)
    times = np.geomspace(table.x.min(), table.x.max(), 100)
    ax.plot(times, np.exp(-times), label="e^(−kηλmin)", **GUIDE)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("kηλmin")
    ax.set_ylabel("envelope · k^r, relative")
    ax.legend()
    return figure
