"""How far trained networks end from what theory predicts, against their width."""

import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from minima.findings.curves import means, places
from minima.findings.functions import relative_gap
from minima.findings.lines import COLUMNS, Lines, power

CAPTION = (
    "Relative distance on test points of the trained network from two predictions of its own kernel at the "
    "start, against the width, or the channels of its convolutions: the linearized limit "
    "f₀ + Θ_xΘ⁻¹(y − f₀), and the interpolant Θ_xΘ⁻¹y that forgets the initial function. Dotted: "
    "width^(−1/2) through the first point. Points: means over seeds; bands: 95 % t intervals; networks that "
    "did not converge are left out, n counts the others."
)
SERIES = ("linearized", "interpolant")


def tabulate(tree: xr.DataTree, block: str) -> pd.DataFrame:
    """One row per place in the grid, prediction and width."""
    rows = []
    for series in SERIES:
        distance = relative_gap(tree, block, ({"source": "trained"}, {"source": series}))
        if "network" in distance.dims:  # whose labels are their channels
            distance = distance.rename(network="width")
        for panel, place in places(distance, "width", "seed"):
            curve = means(distance.sel(place), "width")
            rows += [(panel, series, float(width), *mean) for width, *mean in curve]
    return pd.DataFrame(rows, columns=COLUMNS)


def draw(table: pd.DataFrame) -> Figure:
    """A panel per place in the grid, but for the width."""
    drawn = Lines(
        "width or channels",
        "relative distance on test points",
        panel="panel",
        series="series",
        name={"linearized": "to the linearized limit", "interpolant": "to the interpolant"}.__getitem__,
        guide=power(-0.5, "width^(−1/2)", of="linearized"),
    )
    return drawn.draw(table)
