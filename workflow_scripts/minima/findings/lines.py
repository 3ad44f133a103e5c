"""Tables drawn as lines with their intervals, panel by panel: what most figures are."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from minima.findings.style import GUIDE, LOOKS, Look, line, log_y, number_of_seeds, panels, ticks_at

COLUMNS = ["panel", "series", "x", "estimate", "low", "high", "n"]  # of most tables
Guide = Callable[[Axes, pd.DataFrame], None]


def titled(name: str, here: pd.DataFrame) -> str:
    """`titled` returns a panel's title: its place in the grid, and how many seeds are behind its points."""
    return ", ".join(filter(None, [name, number_of_seeds(here)]))


@dataclass(frozen=True)
class Lines:
    """`Lines` says how a table of x, estimate, low, high and n is drawn: a panel per value of the column
    `panel`, and in each a line per value of the column `series`, in the order of the table."""

    x: str | Callable[[str], str]  # its label, or that of a panel
    y: str
    panel: str = ""  # none: one panel
    series: str = ""  # none: one line
    look: Callable[[str], Look] = LOOKS.__getitem__
    name: Callable[[str], str] = str  # of a series, in the legend
    log: Literal["", "x", "xy"] = "xy"  # of a logarithmic x the ticks are where the points are
    guide: Guide | None = None  # what is drawn beside the lines of a panel
    title: Callable[[str, pd.DataFrame], str] | None = titled
    legend: Literal["last", "fullest", "each"] = "last"  # the panel or panels that have one
    legend_at: Mapping[str, Any] = field(default_factory=dict)
    width: float = 3.2
    height: float = 2.6
    share: bool = True

    def draw(self, table: pd.DataFrame) -> Figure:
        """`draw` returns the figure of a table."""
        names = list(dict.fromkeys(table[self.panel])) if self.panel else [""]
        figure, (axes,) = panels(1, len(names), self.width, self.height, self.share)
        for ax, name in zip(axes, names, strict=True):
            self._draw(ax, str(name), table[table[self.panel] == name] if self.panel else table)
        axes[0].set_ylabel(self.y)
        fullest = max(axes, key=lambda ax: len(ax.get_lines()))
        for ax in {"last": axes[-1:], "fullest": [fullest], "each": axes}[self.legend]:
            ax.legend(**self.legend_at)
        return figure

    def _draw(self, ax: Axes, name: str, here: pd.DataFrame) -> None:
        if "x" in self.log:
            ax.set_xscale("log")
        if "y" in self.log:
            log_y(ax)
        for series in dict.fromkeys(here[self.series]) if self.series else [""]:
            points = here[here[self.series] == series] if self.series else here
            line(ax, points, self.look(str(series)), self.name(str(series)))
        if self.guide:
            self.guide(ax, here)
        if self.title:
            ax.set_title(self.title(name, here))
        ax.set_xlabel(self.x if isinstance(self.x, str) else self.x(name))
        if "x" in self.log:
            ticks_at(ax, sorted(set(here.x)))


def at_zero(ax: Axes, here: pd.DataFrame) -> None:
    """`at_zero` is a guide at y = 0."""
    ax.axhline(0, **GUIDE)


def power(order: float | str, label: str, of: str = "", through: Literal["first", "last"] = "first") -> Guide:
    """`power` returns a guide that goes as x to the power `order`, or to the number in the column of this
    name, through the first or last known point of the series `of`."""

    def guide(ax: Axes, here: pd.DataFrame) -> None:
        points = here[here.series == of] if of else here
        points = points[points.estimate.notna()].sort_values("x")
        if len(points):
            at = points.iloc[0 if through == "first" else -1]
            exponent = at[order] if isinstance(order, str) else order
            ax.plot(points.x, at.estimate * (points.x / at.x) ** exponent, label=label, **GUIDE)

    return guide
