"""How much test accuracy each start costs, against the learning rate of the training on true labels."""

import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from minima.findings.lines import Lines, at_zero
from minima.findings.stats import mean_interval

CAPTION = (
    "Test accuracy lost by a start, in points below that of a random start of the same seed, against the "
    "learning rate of vanilla SGD on the true labels. Starts: adversarial; pretrained on the true labels of "
    "the images, or of the copies that the adversarial start saw, for as many steps; random with the norm, "
    "or the path norm, of the adversarial start. Points: means over seeds; bands: 95 % t intervals. "
    "Seeds count where both networks fit all training points."
)


def tabulate(tree: xr.DataTree, block: str) -> pd.DataFrame:
    """One row per start and learning rate."""
    trained = tree[f"trained/{block}"].to_dataset()[["test_error", "train_error"]].load()
    random = trained.sel(init="random")
    rows = []
    for start in trained.init.values.tolist():
        one = trained.sel(init=start)
        lost = 100 * (one.test_error - random.test_error)
        lost = lost.where((one.train_error == 0) & (random.train_error == 0))
        if start != "random":
            rows += [
                (start, rate, *mean_interval(lost.sel(lr=rate).values)) for rate in lost.lr.values.tolist()
            ]
    return pd.DataFrame(rows, columns=["start", "x", "estimate", "low", "high", "n"])


def draw(table: pd.DataFrame) -> Figure:
    """One panel, a line per start."""
    drawn = Lines(
        "learning rate",
        "accuracy lost, points",
        series="start",
        name=lambda start: start.replace("_", " "),
        log="x",
        guide=at_zero,
        title=None,
        legend_at={"loc": "upper left", "bbox_to_anchor": (1, 1)},
        width=4.6,
    )
    return drawn.draw(table)
