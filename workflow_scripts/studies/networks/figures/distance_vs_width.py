"""How far networks end from what is predicted of them, optimizer by optimizer, against their width."""

import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from minima.findings.curves import means
from minima.findings.functions import relative_gap
from minima.findings.lines import COLUMNS, Lines

CAPTION = (
    "Relative distance on test points of trained networks from what is predicted of them, against the width: "
    "from the limit of the linearized network under gradient descent (linearized), and from the prediction "
    "of the network itself under its own optimizer and step (network_at_step). Points: means over seeds; "
    "bands: 95 % t intervals; networks that did not converge are left out, n counts the others."
)
SERIES = ("linearized", "network_at_step")


def tabulate(tree: xr.DataTree, block: str) -> pd.DataFrame:
    """One row per optimizer, prediction and width."""
    rows: list[tuple] = []
    for series in SERIES:
        gaps = relative_gap(tree, block, ({"source": series}, {"source": "trained"}))
        for optimizer in gaps.optimizer.values.tolist():
            curve = means(gaps.sel(optimizer=optimizer, drop=True), "width")
            rows += [(optimizer, series, *mean) for mean in curve]
    return pd.DataFrame(rows, columns=COLUMNS)


def draw(table: pd.DataFrame) -> Figure:
    """A panel per optimizer."""
    drawn = Lines(
        "width",
        "relative distance on test points",
        panel="panel",
        series="series",
        width=2.3,
    )
    return drawn.draw(table)
