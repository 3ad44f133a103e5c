"""How much test accuracy the adversarial start costs, against the dose of confusion."""

import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from minima.findings.lines import Lines, at_zero
from minima.findings.stats import mean_interval
from minima.findings.style import LOOKS, number_of_seeds

CAPTION = (
    "Test accuracy lost by the adversarial start, in points, at the first epoch that fits all training "
    "points, against the number R of copies in the confusion set or the fraction N of pixels set to 0. "
    "Points: means over seeds; bands: 95 % t intervals; n counts the seeds in which both "
    "networks fit."
)
NAMES = {"copies": "copies R of each image", "zeroed": "fraction N of pixels at 0"}


def tabulate(tree: xr.DataTree, block: str, beside: str) -> pd.DataFrame:
    """One row per dose; `beside` holds the random starts."""
    led, plain = (tree[f"trained/{name}"].to_dataset() for name in (block, beside))
    (dim,) = (dim for dim in led.status.dims if dim != "seed")
    fits = (led.train_error == 0) & (plain.train_error == 0)
    lost = (100 * (led.test_error - plain.test_error)).where(fits)
    rows = [(dim, x, *mean_interval(lost.sel({dim: x}).values)) for x in led[dim].values.tolist()]
    return pd.DataFrame(rows, columns=["dose", "x", "estimate", "low", "high", "n"])


def draw(table: pd.DataFrame) -> Figure:
    """One panel."""
    dose = str(table.dose.iloc[0])
    drawn = Lines(
        NAMES.get(dose, dose),
        "accuracy lost, points",
        look=lambda series: LOOKS["adversarial"],
        name=lambda series: number_of_seeds(table),
        log="x" if dose == "copies" else "",
        guide=at_zero,
        title=None,
    )
    return drawn.draw(table)
