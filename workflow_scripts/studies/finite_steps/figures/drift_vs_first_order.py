"""How much of the imbalance of two linear layers finite steps lose, over what they lose to first order."""

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from minima.findings.lines import COLUMNS, Lines
from minima.findings.measures import converged
from minima.findings.stats import mean_interval
from minima.findings.style import GUIDE, Look
from studies.finite_steps.quantities import drift_over_first_order

CAPTION = (
    "Drift ‖D(∞) − D(0)‖ of the imbalance D of two linear layers over η‖J‖, its size to first order in "
    "the step η, with J an integral along the gradient flow, against the learning rate lr = Nη. Dotted: a "
    "first order alone. Right: what is above it, with a slope of 1 through the smallest step. Points: "
    "means over seeds; bands: 95 % t intervals."
)
NAMES = {"ratio": "drift over η‖J‖", "excess": "its excess over 1"}


def tabulate(tree: xr.DataTree, block: str, beside: str) -> pd.DataFrame:
    """One row per quantity and learning rate; `beside` names the block that holds J."""
    trained, start = (tree[f"trained/{name}"].to_dataset() for name in (block, beside))
    ratio = drift_over_first_order(trained, start).where(converged(trained))
    rows = [
        (panel, "network", lr, *mean_interval(found.sel(lr=lr).values))
        for panel, found in (("ratio", ratio), ("excess", ratio - 1))
        for lr in found.lr.values.tolist()
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def draw(table: pd.DataFrame) -> Figure:
    """A panel for the ratio, one for its excess over 1."""
    drawn = Lines(
        "learning rate lr = Nη",
        "",
        panel="panel",
        series="series",
        look=lambda _: Look("#0072B2", "o", "-"),
        guide=_guide,
        title=lambda panel, here: f"{NAMES[panel]}, n = {int(here.n.max())}",
        share=False,
    )
    return drawn.draw(table)


def _guide(ax: Axes, here: pd.DataFrame) -> None:
    """1, or a line in proportion to lr through the first point."""
    x = np.sort(here.x.to_numpy())
    if here.panel.iloc[0] == "ratio":
        ax.set_yscale("linear")
        ax.axhline(1, label="first order", **GUIDE)
    else:
        first = here.loc[here.x.idxmin()]
        ax.plot(x, first.estimate * x / x[0], label="∝ lr", **GUIDE)
