"""Networks come to their own flow as the step shrinks, and not to that of their linearization."""

import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from minima.findings.curves import means
from minima.findings.functions import relative_gap
from minima.findings.lines import COLUMNS, Lines, power
from studies.networks.steps import by_step, methods

CAPTION = (
    "Relative distance on test points of trained networks from what is predicted of them, against the step "
    "size over the greatest of each method: from the limit of small steps of the linearized network "
    "(adaptive_flow) and of the network itself (network_flow). Dotted: proportional to η. Points: means over "
    "seeds; bands: 95 % t intervals; networks that did not converge are left out, n counts the others."
)
SERIES = ("adaptive_flow", "network_flow")


def tabulate(tree: xr.DataTree, block: str) -> pd.DataFrame:
    """One row per method, prediction and step."""
    trained = tree[f"trained/{block}"].to_dataset()
    rows: list[tuple] = []
    for method in methods(trained):
        for series in SERIES:
            gaps = relative_gap(tree, block, ({"source": series}, {"source": "trained"}))
            rows += [(method, series, *mean) for mean in means(by_step(gaps, trained, method), "share")]
    return pd.DataFrame(rows, columns=COLUMNS)


def draw(table: pd.DataFrame) -> Figure:
    """A panel per method."""
    drawn = Lines(
        "step over the greatest",
        "relative distance on test points",
        panel="panel",
        series="series",
        guide=power(1, "order 1", of="network_flow"),
        width=2.5,
    )
    return drawn.draw(table)
