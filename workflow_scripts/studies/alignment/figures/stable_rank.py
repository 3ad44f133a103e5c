"""On how many directions the first layer lies while the loss falls."""

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from minima.findings.lines import COLUMNS, Lines
from minima.findings.stats import mean_interval
from minima.findings.style import GUIDE, Look, looks_of
from studies.alignment.quantities import COSINE, at_loss, class_sum

CAPTION = (
    "Stable rank ‖W‖²_F/‖W‖²₂ of the first layer against how far the loss has fallen, by the cosine μ of "
    "the points at a small start, and by the size ε of the start at μ = 0.1. Dotted: 2/(1 + |c|), c the "
    "cosine between the sums x₊ and x₋ of both classes. Points: means over seeds; bands: 95 % t "
    "intervals."
)
LEVELS = [0.9, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01]


def tabulate(tree: xr.DataTree, block: str, beside: str) -> pd.DataFrame:
    """One row per panel, place and level of the loss, and one per place with the rank that follows."""
    rows: list[tuple] = []
    for panel, name, axis, symbol in (
        ("small start", block, "cosine", "μ"),
        ("μ = 0.1", beside, "scale", "ε"),
    ):
        trained = tree[f"trained/{name}"].to_dataset()
        for label in trained[axis].values.tolist():
            here = trained.sel({axis: label})
            series, path = f"{symbol} = {label:g}", here.stable_rank_path.isel(layer=0)
            found = [(level, mean_interval(at_loss(path, here, level).values)) for level in LEVELS]
            rows += [
                (panel, series, level, *numbers)
                for level, numbers in found
                if numbers.n == here.sizes["seed"]
            ]
            limit = 2 / (1 + np.abs(class_sum(here, COSINE)).mean().item())
            rows.append((panel, f"limit, {series}", LEVELS[-1], limit, np.nan, np.nan, here.sizes["seed"]))
    return pd.DataFrame(rows, columns=COLUMNS)


def draw(table: pd.DataFrame) -> Figure:
    """A panel for the small start, and one for those that are not."""
    is_limit = table.series.str.startswith("limit")
    curves = table[~is_limit]
    looks: dict[str, Look] = {}
    for _, here in curves.groupby("panel", sort=False):
        names = list(dict.fromkeys(here.series))
        looks |= dict(zip(names, looks_of(len(names)), strict=True))

    def limits(ax: Axes, here: pd.DataFrame) -> None:
        for value in set(table[is_limit & (table.panel == here.panel.iloc[0])].estimate):
            ax.axhline(value, **GUIDE)
        ax.invert_xaxis()

    drawn = Lines(
        "loss over the first",
        "stable rank of the first layer",
        panel="panel",
        series="series",
        look=looks.__getitem__,
        log="x",
        guide=limits,
        legend="each",
        share=False,
        width=3.8,
    )
    return drawn.draw(curves)
