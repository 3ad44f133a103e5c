"""Forest plots: a claim's number on every data set, with its interval, against its region.

A figure per study, a panel per claim that has a control or whose verdict is not the same everywhere.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill, shorten
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from minima.findings import drawing
from minima.findings.drawing import PICTURES, write_csv
from minima.findings.style import GUIDE, panels
from minima.findings.words import INCONCLUSIVE, NOT_ASKED, REFUTED, SUPPORTED, estimate, minus

CAPTION = (
    "Shaded: the region. Filled circle: the claim is supported on that data set; cross: refuted; open "
    "circle: inconclusive; what decided it where this part did not stands at the right. Bars: the "
    "interval named below the panel; an arrow leads out of it. Diamond: the random-effects mean with its "
    "interval, its line where one more data set would lie. Data sets of which none was asked are left out."
)
LOOKS = {  # colour, marker, whether it is filled
    SUPPORTED: ("#00695c", "o", True),
    REFUTED: ("#b03a06", "X", True),
    INCONCLUSIVE: ("#444444", "o", False),
}
NAMES = {
    "t": "95 % t interval",
    "bootstrap": "95 % BCa interval",
    "every": "least to greatest unit",
    "count": "mean, least to greatest; by count",
}
POOLED = "mean over data sets"
COLUMNS = ["claim", "label", "region", "interval", "region_low", "region_high", "data_set", "verdict", "note"]
NUMBERS = ["estimate", "low", "high", "n", "new_low", "new_high"]
NOTE = {"va": "center", "fontsize": 6.5, "color": "#555555"}
ACROSS, WIDTH, ROW = 3, 3.3, 0.19  # panels beside each other; inches
LINE, LONGEST = 38, 40  # letters of a line above or below a panel, of a data set's name
WIDE = 30  # times the least from which on an axis of positive numbers is logarithmic


def drawn(comparison: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    """`drawn` returns each study's claims that a forest plot shows: asked of two data sets or more, and
    either with a control or with verdicts that differ."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for claim in comparison["claims"]:
        verdicts = [on["verdict"] for on in claim["on"].values() if on["verdict"] != NOT_ASKED]
        known = any(on.get("estimate") is not None for on in claim["on"].values())
        if known and len(verdicts) > 1 and (claim["headline"] or len(set(verdicts)) > 1):
            found.setdefault(claim["study"], []).append(claim)
    return found


def draw_forests(comparison: Mapping[str, Any], folder: Path) -> None:
    """`draw_forests` writes table (.csv) and pictures (.png, .svg) of every study into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    titles = {data_set["name"]: data_set["title"] for data_set in comparison["data_sets"]}
    for study, claims in drawn(comparison).items():
        write_csv(tabulate(claims, titles), folder / f"{study}.csv")
        drawing.draw(__name__, folder / f"{study}.csv", [folder / f"{study}.{suffix}" for suffix in PICTURES])


def tabulate(claims: Sequence[Mapping[str, Any]], titles: Mapping[str, str]) -> pd.DataFrame:
    """`tabulate` returns a row per claim and data set that was asked any, and one for the claim's mean
    where it has one."""
    rows = []
    asked = [name for name in titles if any(claim["on"][name]["verdict"] != NOT_ASKED for claim in claims)]
    for claim in claims:
        low, high = claim["bounds"]
        panel = {
            "claim": claim["id"],
            "label": claim["label"],
            "region": claim["region"],
            "interval": claim["interval"],
            "region_low": -np.inf if low is None else low,
            "region_high": np.inf if high is None else high,
        }
        for name in asked:
            on = claim["on"][name]
            rows.append(
                panel | {"data_set": titles[name], "verdict": on["verdict"], "note": _note(claim, on)} | on
            )
        if summary := claim["summary"]:
            rows.append(panel | {"data_set": POOLED, "estimate": summary["mean"]} | summary)
    return pd.DataFrame(rows).reindex(columns=COLUMNS + NUMBERS).fillna({"verdict": "", "note": ""})


def _note(claim: Mapping[str, Any], on: Mapping[str, Any]) -> str:
    """What stands beside a row: that it is none, what decided its verdict, or how many units lie inside."""
    if on["verdict"] == NOT_ASKED:
        return NOT_ASKED
    return on["by"] or (estimate(claim | on)[0] if claim["interval"] == "count" else "")


def draw(table: pd.DataFrame) -> Figure:
    """`draw` returns the figure of a study: panels share the names of the data sets at the left."""
    claims = [here for _, here in table.groupby("claim", sort=False)]
    names = list(dict.fromkeys(table.data_set))
    places = {name: place for place, name in enumerate(sorted(names, key=lambda name: name == POOLED))}
    columns = min(ACROSS, len(claims))
    rows = -(-len(claims) // columns)
    figure, axes = panels(rows, columns, WIDTH, ROW * len(places) + 1.1, share=False)
    for at, ax in enumerate(ax for line in axes for ax in line):
        if at >= len(claims):
            ax.remove()
            continue
        _draw_panel(ax, claims[at], places)
        labels = [shorten(name, LONGEST, placeholder="…") for name in places] if at % columns == 0 else []
        ax.set_yticks([*places.values()], labels or [""] * len(places), fontsize=8)
    figure.legend(handles=[*map(_key, LOOKS)], loc="outside lower center", ncols=len(LOOKS))
    return figure


def _key(verdict: str) -> Line2D:
    return Line2D([], [], linestyle="", label=verdict, **_marker(verdict))


def _marker(verdict: str) -> dict[str, Any]:
    colour, marker, filled = LOOKS[verdict]
    return {
        "marker": marker,
        "color": colour,
        "markerfacecolor": colour if filled else "white",
        "markersize": 5.5,
        "markeredgewidth": 1.1,
    }


def _draw_panel(ax: Axes, here: pd.DataFrame, places: Mapping[str, int]) -> None:
    """One claim: its region, a row per data set from the top, its mean over them at the end."""
    first = here.iloc[0]
    ax.set_title(fill(f"{first.claim}: {first.label}", LINE), fontsize=7.5, loc="left")
    ax.set_xlabel(fill(f"{NAMES[first.interval]}; region {minus(first.region)}", LINE), fontsize=7)
    ax.tick_params(axis="x", labelsize=7)
    ax.tick_params(axis="y", length=0)
    ax.grid(False, axis="y")
    low, high = _limits(ax, here)
    ax.set_xlim(low, high)
    ax.set_ylim(len(places) - 0.4, -0.6)
    ax.axvspan(
        max(low, first.region_low), min(high, first.region_high), color="#00695c", alpha=0.1, linewidth=0
    )
    for edge in (first.region_low, first.region_high):
        if np.isfinite(edge):
            ax.axvline(edge, **GUIDE)
    for found in here.itertuples():
        y = places[found.data_set]
        if found.data_set == POOLED:
            _bar(ax, found.new_low, found.new_high, y, "#000000", 0.8)
            ends = [found.low, found.estimate, found.high, found.estimate]
            ax.fill(ends, [y, y - 0.3, y, y + 0.3], color="#000000", linewidth=0)
            continue
        beside = {"x": 0.02, "style": "italic"} if found.verdict == NOT_ASKED else {"x": 1.02}
        ax.text(y=y, s=found.note, transform=ax.get_yaxis_transform(), **beside, **NOTE)
        if np.isnan(found.estimate):
            continue
        look = _marker(found.verdict)
        _bar(ax, found.low, found.high, y, look["color"], 1.2)
        ax.plot(found.estimate, y, linestyle="", zorder=3, **look)


def _bar(ax: Axes, low: float, high: float, y: float, colour: str, width: float) -> None:
    """An interval, with an arrow where it leads out of the panel."""
    ax.plot([low, high], [y, y], color=colour, linewidth=width)
    first, last = ax.get_xlim()
    for end, outside, arrow in ((first, low < first, "<"), (last, high > last, ">")):
        if outside:
            ax.plot(end, y, arrow, color=colour, markersize=4, clip_on=False)


def _limits(ax: Axes, here: pd.DataFrame) -> tuple[float, float]:
    """Where a panel's axis begins and ends, and how it is divided: by decades where its numbers span many.

    Estimates and the region's edges are all seen; an interval that is far wider than they lead out of it.
    """
    first = here.iloc[0]
    edges = [edge for edge in (first.region_low, first.region_high) if np.isfinite(edge)]
    known = here[here.estimate.notna()]
    seen = [*known.estimate, *edges]
    ends = [*known.low.dropna(), *known.high.dropna(), *known.new_low.dropna(), *known.new_high.dropna()]
    above = [value for value in seen if value > 0]
    decades = min([*known.estimate, *ends]) > 0 and max(above) > WIDE * min(above)
    if decades:
        ax.set_xscale("log")
        seen, ends = np.log10(above), np.log10(ends)
        ax.xaxis.set_major_locator(LogLocator(numticks=5))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.xaxis.set_minor_locator(NullLocator())
    else:
        ax.xaxis.set_major_locator(MaxNLocator(4))
    low, high = min(seen), max(seen)
    room = high - low or abs(high) or 1.0
    low = max(low - 0.6 * room, min([low, *ends])) - 0.06 * room
    high = min(high + 0.6 * room, max([high, *ends])) + 0.06 * room
    return (10**low, 10**high) if decades else (low, high)
