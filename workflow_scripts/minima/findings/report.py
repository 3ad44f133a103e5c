"""The report: verdicts, figures and facts as one page that needs nothing else, not even a network."""

import base64
import math
import re
import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from minima.findings.files import write_text

VERDICTS = ("supported", "refuted", "inconclusive")
UNKNOWN = "–"
PNG = b"\x89PNG\r\n\x1a\n"
DOTS_PER_PIXEL = 150 / 96  # figures are drawn at 150 dots per inch; a page has 96
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class FigureEntry:
    """A drawn figure; `svg`, `table`, `script` are links relative to the page, `claims` its ids."""

    name: str
    caption: str
    png: Path
    svg: str
    table: str
    script: str
    claims: list[str]


@dataclass(frozen=True)
class Place:
    """A place of a block's grid: the minimizer nearest for most of `n` converged seeds, its distance."""

    words: str
    nearest: str
    votes: int
    n: int
    distance: float


@dataclass(frozen=True)
class NearestMap:
    """Which minimizers a block's networks converged to: how many to each, and the answer at each place."""

    block: str
    counts: list[tuple[str, int]]
    places: list[Place]

    @property
    def networks(self) -> int:
        return sum(count for _, count in self.counts)

    @property
    def converged(self) -> bool:
        """Whether any network did."""
        return any(is_known(place.distance) for place in self.places)


@dataclass(frozen=True)
class StudySection:
    """A study as the page shows it; `blocks` holds each block's name and what it trains, in words; `dataset`
    is a link relative to the page."""

    name: str
    title: str
    citation: str
    dataset: str
    blocks: list[tuple[str, str]]
    figures: list[FigureEntry]
    nearest: list[NearestMap]


def render(
    claims: Sequence[Mapping[str, Any]],
    studies: Sequence[StudySection],
    facts: Mapping[str, str],
    links: Mapping[str, str],
) -> str:
    """The page as text, the same for the same values; claims are as `findings.claims.judge` gives them,
    `links` lead from estimands' modules to their code."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": number,
        "interval": interval,
        "minus": minus,
        "cite": cite,
        "picture": picture,
    }
    environment.tests["known"] = is_known
    counts = Counter(claim["verdict"] for claim in claims)
    return environment.get_template("report.html.j2").render(
        claims=claims,
        studies=studies,
        facts=facts,
        links=links,
        datasets={study.name: study.dataset for study in studies},
        verdicts={verdict: counts[verdict] for verdict in VERDICTS},
        verdict_of={claim["id"]: claim["verdict"] for claim in claims},
        claimed=list(dict.fromkeys(claim["study"] for claim in claims)),
        drawn={(study.name, figure.name) for study in studies for figure in study.figures},
    )


def write_report(path: str | Path, html: str) -> None:
    """A reader sees the whole page or the one before."""
    write_text(html, Path(path))


def is_known(value: float | None) -> bool:
    return value is not None and not math.isnan(value)


def number(value: float | None) -> str:
    """Three significant digits, a proper minus, and powers of ten where zeros would be counted."""
    if not is_known(value):
        return UNKNOWN
    if value == 0:
        return "0"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    digits, exponent = f"{value:.2e}".split("e")
    power = int(exponent)
    if -4 <= power < 5:
        text = f"{float(f'{value:.2e}'):.{max(0, 2 - power)}f}"
    else:
        text = f"{digits}\u00a0×\u00a010{str(power).translate(SUPERSCRIPTS)}"
    return text.replace("-", "−")


def interval(bounds: Mapping[str, Any]) -> str:
    """`[low, high]`, or nothing where neither is known."""
    low, high = bounds["low"], bounds["high"]
    return f"[{number(low)}, {number(high)}]" if is_known(low) or is_known(high) else ""


def minus(text: str) -> str:
    """The text with a minus before its numbers where it has a hyphen."""
    return re.sub(r"(?<!\w)-(?=[\d.∞])", "−", text)


def cite(text: str) -> Markup:
    """The citation, escaped, its arXiv number a link; the number alone will do."""
    linked = r'<a href="https://arxiv.org/abs/\1">arXiv:\1</a>'
    return Markup(re.sub(r"(?:arXiv:\s*|^)(\d{4}\.\d{4,5})\b", linked, str(Markup.escape(text))))


def picture(png: Path) -> Markup:
    """The attributes of an image that holds the picture itself, at the size it was drawn for."""
    content = png.read_bytes()
    if not content.startswith(PNG) or len(content) < 24:
        raise ValueError(f"{png}: not a PNG picture; delete it and run snakemake again to draw it anew")
    width, height = (round(dots / DOTS_PER_PIXEL) for dots in struct.unpack(">II", content[16:24]))
    data = base64.b64encode(content).decode("ascii")
    return Markup(f'src="data:image/png;base64,{data}" width="{width}" height="{height}"')
