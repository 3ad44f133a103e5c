"""What the figures by start share: a row per quantity, block, start and seed, and every seed drawn."""

from collections.abc import Callable, Iterator, Mapping

import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from minima.findings.style import LOOKS, panels

COLUMNS = ["quantity", "block", "start", "seed", "estimate"]


def rows_of(block: str, dim: str, values: Mapping[str, xr.DataArray]) -> Iterator[tuple]:
    """`rows_of` yields the table's rows of one block, of quantities over `dim` and `seed`."""
    for quantity, found in values.items():
        for start in found[dim].values.tolist():
            for seed in found.seed.values.tolist():
                yield quantity, block, start, seed, float(found.sel({dim: start, "seed": seed}))


def drawn(
    table: pd.DataFrame,
    quantities: Mapping[str, str],
    mean: Callable[[pd.Series], float],
    scale: Callable[[Axes, str], None],
) -> Figure:
    """`drawn` returns a panel per quantity, which `quantities` name, and block. A bar is the `mean` of what
    is drawn of a start, and `scale` sets a panel's vertical axis. A start without a look is a number of
    copies."""
    blocks = list(dict.fromkeys(table.block))
    figure, rows = panels(len(quantities), len(blocks))
    for axes, (quantity, name) in zip(rows, quantities.items(), strict=True):
        axes[0].set_ylabel(name)
        for ax, block in zip(axes, blocks, strict=True):
            here = table[(table.quantity == quantity) & (table.block == block)]
            starts = list(dict.fromkeys(here.start.astype(str)))
            for place, start in enumerate(starts):
                found = here[here.start.astype(str) == start].estimate.dropna()
                look = LOOKS.get(start, LOOKS["adversarial"])
                ax.scatter(
                    [place] * len(found), found, s=14, marker=look.marker, color=look.colour, alpha=0.7
                )
                if len(found):
                    ax.hlines(mean(found), place - 0.25, place + 0.25, color=look.colour)
            scale(ax, quantity)
            words = [start.replace("_", " ") if start in LOOKS else f"R = {start}" for start in starts]
            ax.set_xticks(range(len(starts)), words, rotation=30, ha="right")
            ax.set_title(block)
    return figure
