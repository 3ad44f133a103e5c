"""When neurons have turned, and when the network has grown, against the size of its start."""

import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from minima.findings.lines import Lines
from minima.findings.stats import mean_interval
from minima.findings.style import Look
from studies.alignment.quantities import alignment_end, along, class_sum, entry_of_all, time_per_step

CAPTION = (
    "t₁‖x₊‖, when all neurons that saw a point of their class are in its cone, and t₂‖x₊‖, when max |f| "
    "on the training points is ¼, against 1/ε, the size of the start. Where both layers are trained t₂ "
    "grows as log 1/ε and t₁ does not know ε; where the first layer alone is, there is no second clock. "
    "Points: means over seeds; bands: 95 % t intervals."
)
LOOKS = {
    "t₂, both layers": Look("#0072B2", "o", "-"),
    "t₁, both layers": Look("#009E73", "^", "-."),
    "t₂, first layer alone": Look("#D55E00", "s", "--"),
}


def tabulate(tree: xr.DataTree, block: str, beside: str) -> pd.DataFrame:
    """One row per clock and ε; `beside` names the block in which the first layer alone is trained."""
    both, alone = (tree[f"trained/{name}"].to_dataset() for name in (block, beside))
    clocks = {
        "t₂, both layers": (both, "scale", alignment_end(both)),
        "t₁, both layers": (both, "scale", entry_of_all(both)),
        "t₂, first layer alone": (alone, "layer_scales", alignment_end(alone)),
    }
    rows = []
    for series, (trained, axis, steps) in clocks.items():
        times = (steps * time_per_step(trained) * class_sum(trained)).transpose(axis, "seed")
        rows += [
            (series, 1 / scale, *mean_interval(each))
            for scale, each in zip(along(trained, axis), times.values, strict=True)
        ]
    return pd.DataFrame(rows, columns=["series", "x", "estimate", "low", "high", "n"])


def draw(table: pd.DataFrame) -> Figure:
    """One panel."""
    drawn = Lines("1/ε", "t‖x₊‖", series="series", look=LOOKS.__getitem__, log="x", width=4.2)
    return drawn.draw(table)
