"""How far networks travel from either start, and how large their path norm is at the end."""

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from minima.findings.style import log_y
from studies.bad_minima.by_start import COLUMNS, drawn, rows_of

CAPTION = (
    "Distance ‖θ − θ₀‖ travelled from the start of the training on true labels, and ℓ2 path norm at its"
    " end, by start: random; adversarial; where training on the true labels of the images, or of the copies "
    "that the adversarial start saw, had ended; random with the norm, or the path norm, of the adversarial "
    "start. Every seed is drawn; the bar is the geometric mean of those above 0. Left: vanilla SGD; right: "
    "the second block, under regularization."
)
QUANTITIES = {"distance": "distance travelled", "path_norm": "ℓ2 path norm"}


def tabulate(tree: xr.DataTree, block: str, beside: str = "") -> pd.DataFrame:
    """One row per quantity, block, start and seed."""
    rows = []
    for name in filter(None, (block, beside)):
        trained = tree[f"trained/{name}"].to_dataset()
        values = {
            "distance": np.sqrt((trained.distance**2).sum("layer", skipna=False)),
            "path_norm": trained.path_norm.isel(power=1),
        }
        ended = trained.status != "diverged"
        rows += rows_of(name, "init", {quantity: found.where(ended) for quantity, found in values.items()})
    return pd.DataFrame(rows, columns=COLUMNS)


def draw(table: pd.DataFrame) -> Figure:
    """A panel per quantity and block."""
    moved = table.assign(estimate=table.estimate.where(table.estimate > 0))  # a start at the goal stays there
    return drawn(moved, QUANTITIES, lambda found: np.exp(np.log(found).mean()), lambda ax, _: log_y(ax))
