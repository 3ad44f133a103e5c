"""The power with which Nesterov's method falls, against r of its schedule."""

import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from minima.findings.lines import Lines
from minima.findings.stats import mean_interval
from minima.findings.style import GUIDE
from minima.findings.trajectories import predicted_loss, relative_loss
from studies.momentum.curves import between, each, envelope_power, slowest, where_it_can

CAPTION = (
    "Slope of log L in log k through the local maxima of the loss against r of the schedule (k − 1)/(k + "
    "r − 1), for steps between 8/√(ηλmin) and 30/√(ηλmin): trained networks and their frozen kernels. "
    "Dotted: −r. Points: means over seeds; bands: 95 % t intervals."
)
WINDOW = (8, 30)  # in units of 1/√(ηλmin)
SERIES = {"trained": relative_loss, "frozen kernel": predicted_loss}


def tabulate(tree: xr.DataTree, block: str) -> pd.DataFrame:
    """One row per series and r."""
    node = tree[f"trained/{block}"].to_dataset()
    unit = float(slowest(node).mean()) ** -0.5
    rows = []
    for series, curves in SERIES.items():
        window = between(curves(node), (WINDOW[0] * unit, WINDOW[1] * unit))
        powers = each(window, where_it_can(envelope_power))
        for r in node.r.values.tolist():
            rows.append((series, r, *mean_interval(powers.sel(r=r).values)))
    return pd.DataFrame(rows, columns=["series", "x", "estimate", "low", "high", "n"])


def draw(table: pd.DataFrame) -> Figure:
    """One panel."""

    def slope(ax: Axes, here: pd.DataFrame) -> None:
        r = sorted(set(here.x))
        ax.plot(r, [-value for value in r], label="−r", **GUIDE)

    drawn = Lines(
        "r",
        "slope of log L in log k",
        series="series",
        log="",
        guide=slope,
        title=None,
        width=4.2,
        height=3.2,
    )
    return drawn.draw(table)
