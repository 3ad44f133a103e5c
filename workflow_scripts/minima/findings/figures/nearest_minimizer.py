"""The answer over the grid: which minimizer the networks of each place converged to."""

from collections import Counter

import matplotlib as mpl
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from minima.findings.curves import places
from minima.findings.nearest import NONE, named
from minima.findings.stats import mean_interval
from minima.findings.style import ink_on, panels
from minima.findings.words import label

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
COLUMNS = ["panel", "x_axis", "x_label", "y_axis", "y_label", "nearest", "votes", "n"]
COLUMNS += ["candidate", "estimate", "low", "high", "lead", "spread"]
CELL = 1.3  # inches
WHITE = (1.0, 1.0, 1.0, 1.0)
GREY = "#666666"


def tabulate(tree: xr.DataTree, block: str) -> pd.DataFrame:
    """One row per place of the grid: the first axis along x, the second along y, a panel per place of others.

    `candidate` is the minimizer whose distance is told; `spread` is that distance over the seed spread, NaN
    where each seed has data of its own.
    """
    node, status = tree[f"nearest/{block}"].to_dataset(), tree[f"trained/{block}"].ds.status
    x, y, *_ = [*(str(dim) for dim in status.dims if dim != "seed"), "", ""]
    rows = []
    for panel, here in places(status, x, y, "seed"):
        for _, inner in places(status.sel(here), "seed"):
            place = here | inner
            axes = [part for axis in (x, y) for part in (axis, label(inner.get(axis, "")))]
            rows.append((panel, *axes, *_answer(node.sel(place), status.sel(place))))
    return pd.DataFrame(rows, columns=COLUMNS)


def _answer(node: xr.Dataset, status: xr.DataArray) -> tuple:
    """`_answer` returns the verdict that most converged seeds give (of two, the nearer), how many of how
    many, the candidate that it is about, that one's mean distance over all converged seeds with its
    interval, its mean lead over the seeds of the verdict, and the distance over the spread."""
    converged = (status == "converged").values
    verdicts = node.nearest.values[converged] if converged.any() else status.values
    counts = Counter(verdicts.tolist())
    means = dict(zip(node.minimizer.values.tolist(), node.distance_to.mean("seed").values, strict=True))

    def candidate(verdict: str) -> str:
        """The nearest of those that are named, of all where none is."""
        among = [name for name in (means if verdict == NONE else named(verdict)) if name in means]
        return min(among, key=lambda name: np.nan_to_num(means[name], nan=np.inf), default="")

    verdict = min(counts, key=lambda one: (-counts[one], means.get(candidate(one), np.inf)))
    name, votes = candidate(verdict), counts[verdict]
    if not name:
        return verdict, votes, int(converged.sum()), name, *[np.nan] * 5
    distance = mean_interval(node.distance_to.sel(minimizer=name).values)
    lead = float(node.nearest_lead.where(node.nearest == verdict).mean())
    spread = distance.estimate / float(node.seed_spread) if "seed_spread" in node else np.nan
    return verdict, votes, distance.n, name, *distance[:3], lead, spread


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
