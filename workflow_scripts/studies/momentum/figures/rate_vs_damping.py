"""How fast the heavy ball trains against its damping b, where μ = 1 − b√η."""

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from minima.findings.lines import Lines
from minima.findings.stats import mean_interval
from minima.findings.style import GUIDE
from minima.findings.trajectories import predicted_loss, relative_loss
from studies.momentum.curves import between, each, rate, slowest, where_it_can

CAPTION = (
    "Rate −d log L/dk of the heavy ball in units of √(ηλmin) against the damping b in units of √λmin, "
    "fitted to the second half of the steps: trained networks and their frozen kernels. Dotted: the ODE's "
    "rates, b where the slowest mode swings (b < 2) and b − √(b² − 4) where it creeps; the dashed line "
    "continues the first beyond 2, where it does not hold. Points: means over seeds; bands: 95 % "
    "t intervals."
)
SERIES = {"trained": relative_loss, "frozen kernel": predicted_loss}


def tabulate(tree: xr.DataTree, block: str) -> pd.DataFrame:
    """One row per series and b."""
    node = tree[f"trained/{block}"].to_dataset()
    unit = np.sqrt(slowest(node))
    rows = []
    for series, curves in SERIES.items():
        tail = between(curves(node), (float(node.step[-1]) / 2, float(node.step[-1])))
        rates = each(tail, where_it_can(rate)) / unit
        for b in node.damping.values.tolist():
            rows.append((series, b, *mean_interval(rates.sel(damping=b).values)))
    return pd.DataFrame(rows, columns=["series", "x", "estimate", "low", "high", "n"])


def draw(table: pd.DataFrame) -> Figure:
    """One panel."""

    def rates(ax: Axes, here: pd.DataFrame) -> None:
        b = np.linspace(0, here.x.max(), 200)
        ax.plot(b, np.where(b <= 2, b, b - np.sqrt(np.maximum(b**2 - 4, 0))), label="ODE", **GUIDE)
        ax.plot(b[b >= 2], b[b >= 2], label="rate b, continued", **(GUIDE | {"linestyle": "--"}))

    drawn = Lines(
        "damping b / √λmin",
        "rate / √(ηλmin)",
        series="series",
        log="",
        guide=rates,
        title=None,
        width=4.2,
        height=3.2,
    )
    return drawn.draw(table)
