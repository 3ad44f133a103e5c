"""How far networks travel from either start, and how large their path norm is at the end."""

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from minima.findings.style import LOOKS, log_y, panels

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
        for quantity, found in values.items():
            found = found.where(trained.status != "diverged")
            for start in trained.init.values.tolist():
                for seed in trained.seed.values.tolist():
                    rows.append((quantity, name, start, seed, float(found.sel(init=start, seed=seed))))
    return pd.DataFrame(rows, columns=["quantity", "block", "start", "seed", "estimate"])


def draw(table: pd.DataFrame) -> Figure:
    """A panel per quantity and block."""
    blocks = list(dict.fromkeys(table.block))
    figure, rows = panels(len(QUANTITIES), len(blocks))
    for axes, (quantity, name) in zip(rows, QUANTITIES.items(), strict=True):
        axes[0].set_ylabel(name)
        for ax, block in zip(axes, blocks, strict=True):
            here = table[(table.quantity == quantity) & (table.block == block)]
            starts = list(dict.fromkeys(here.start))
            for place, start in enumerate(starts):
                found = here[here.start == start].estimate.dropna()
                found = found[found > 0]  # a start at the goal does not move
                look = LOOKS[start]
                ax.scatter(
                    [place] * len(found), found, s=14, marker=look.marker, color=look.colour, alpha=0.7
                )
                if len(found):
                    ax.hlines(np.exp(np.log(found).mean()), place - 0.25, place + 0.25, color=look.colour)
            log_y(ax)
            words = [start.replace("_", " ") for start in starts]
            ax.set_xticks(range(len(starts)), words, rotation=30, ha="right")
            ax.set_title(block)
    return figure
