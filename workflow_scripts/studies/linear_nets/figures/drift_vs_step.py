"""How much of the imbalance of two linear layers training loses, against its step size."""

import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from minima.findings.lines import Lines, power
from minima.findings.measures import converged
from minima.findings.stats import mean_interval
from minima.findings.style import Look

CAPTION = (
    "Drift ‖Λ − Λ(0)‖/‖Λ(0)‖ of the imbalance Λ = U1ᵀU1 − VᵀV of two linear layers, trained to the end, "
    "against the step size η. Gradient flow would keep Λ. Dotted: in proportion to η, through the first "
    "point. Points: means over seeds; bands: 95 % t intervals; networks that did not converge are "
    "left out, n counts the others."
)
LOOKS = {"gd": Look("#0072B2", "o", "-"), "heavy_ball": Look("#CC79A7", "v", "--")}


def tabulate(tree: xr.DataTree, block: str, beside: str = "") -> pd.DataFrame:
    """One row per block and step size; `beside` names the same networks with momentum."""
    rows = []
    for series, name in zip(LOOKS, filter(None, (block, beside)), strict=False):
        trained = tree[f"trained/{name}"].to_dataset()
        drift = trained.imbalance_path.max("step").where(converged(trained))
        rows += [(series, lr, *mean_interval(drift.sel(lr=lr).values)) for lr in drift.lr.values.tolist()]
    return pd.DataFrame(rows, columns=["series", "x", "estimate", "low", "high", "n"])


def draw(table: pd.DataFrame) -> Figure:
    """One panel."""
    drawn = Lines(
        "step size η",
        "drift of the imbalance",
        series="series",
        look=LOOKS.__getitem__,
        name={"gd": "gradient descent", "heavy_ball": "heavy ball"}.__getitem__,
        guide=power(1, "∝ η", of="gd"),
    )
    return drawn.draw(table)
