"""The answer over the grid: which minimizer the networks of each place converged to."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from minima.findings import answers
from minima.findings.nearest import NONE, named
from minima.findings.style import ink_on, panels

CAPTION = (
    "The minimizer that the trained networks found, of all that theory computed, at each place of the grid: "
    "the verdict of most seeds, and of how many. Below a name, or two that the network does not tell from "
    "each other, stand the mean distance on test points in percent of the networks' norm, its 95 % t "
    "interval, and the lead: how much farther the next minimizer is. None (white): even the nearest is "
    "farther than the study's nearest_within, or the network stands between it and another; in small "
    "letters the nearest on average, and how far it stands. Where all seeds share their data, the last line "
    "is the distance over that between two seeds' networks: below 1, the seed matters more. Hatched: no "
    "network converged, and what became of them; others that did not converge are left out, the second "
    "number counts those that did."
)
CELL = 1.3  # inches
WHITE = (1.0, 1.0, 1.0, 1.0)
GREY = "#666666"


def tabulate(tree: xr.DataTree, block: str) -> pd.DataFrame:
    """One row per place of the grid."""
    return answers.tabulate(tree, block)


def draw(table: pd.DataFrame) -> Figure:
    """A map per panel; every verdict is written in its cell, so that colour only helps."""
    names = sorted(set(table.nearest[table.estimate.notna()]) - {NONE})
    shades = mpl.colormaps["cividis"](np.linspace(0.95, 0.25, max(len(names), 2)))
    colours = dict(zip(names, shades, strict=False))
    titles = list(dict.fromkeys(table.panel))
    table = table.astype({"x_label": str, "y_label": str})
    wide, high = (list(dict.fromkeys(table[label])) for label in ("x_label", "y_label"))
    size = {"width": CELL * len(wide) + 0.8, "height": CELL * len(high) * 0.63 + 0.8}
    figure, (row,) = panels(1, len(titles), **size)
    for ax, title in zip(row, titles, strict=True):
        ax.grid(False)
        for cell in table[table.panel == title].itertuples():
            _draw_cell(ax, wide.index(cell.x_label), high.index(cell.y_label), cell, colours)
        ax.set_xticks(range(len(wide)), wide)
        ax.set_yticks(range(len(high)), high)
        ax.set(xlim=(-0.5, len(wide) - 0.5), ylim=(-0.5, len(high) - 0.5), title=title)
        ax.set_xlabel(table.x_axis.iloc[0])
        ax.tick_params(length=0)
    row[0].set_ylabel(table.y_axis.iloc[0])
    return figure


def _draw_cell(ax: Axes, x: int, y: int, cell: tuple, colours: dict[str, np.ndarray]) -> None:
    """`_draw_cell` draws a name on its colour, none large on white, and on hatching what became of networks
    that did not converge."""
    colour, edge = colours.get(cell.nearest, WHITE), "white" if cell.nearest in colours else "#BBBBBB"
    known = np.isfinite(cell.estimate)
    look = {"facecolor": colour, "edgecolor": edge} if known else {"fill": False, "hatch": "///"}
    ax.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, linewidth=0.9, **look))
    centred = {"ha": "center", "va": "center"}
    if not known:
        words = f"{cell.nearest}\n{cell.votes} networks"
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
        ax.text(x, y, words, fontsize=6.5, bbox=box, **centred)
    elif cell.nearest == NONE:
        ax.text(x, y + 0.24, NONE, fontsize=10, fontweight="bold", **centred)
        lines = [f"{cell.votes} of {cell.n} seeds", f"nearest {cell.candidate}", *_numbers(cell)]
        ax.text(x, y - 0.12, "\n".join(lines), fontsize=5.5, color=GREY, **centred)
    else:
        lines = [*_names(cell.nearest), f"{cell.votes} of {cell.n} seeds", *_numbers(cell)]
        ax.text(x, y, "\n".join(lines), fontsize=6.5, color=ink_on(colour), **centred)


def _names(verdict: str) -> list[str]:
    """`_names` returns the lines of a verdict: two names at most, and how many more there are."""
    first, *others = named(verdict)
    more = [f"or {len(others) - 1} more"] if len(others) > 1 else []
    return [*first.split(" ", 1), *(f"or {name}" for name in others[:1]), *more]


def _numbers(cell: tuple) -> list[str]:
    """`_numbers` returns the lines of the distance, its lead and what it is of the spread, where known."""
    interval = f" [{_percent(cell.low)}, {_percent(cell.high)}]" if np.isfinite(cell.low) else ""
    lines = [f"{_percent(cell.estimate)} %{interval}"]
    if np.isfinite(cell.lead):
        lines.append(f"lead {_percent(cell.lead)} %")
    if np.isfinite(cell.spread):
        lines.append(f"{cell.spread:.2g} of spread")
    return lines


def _percent(share: float) -> str:
    return f"{100 * share:.2g}" if share < 0.995 else f"{100 * share:.0f}"
