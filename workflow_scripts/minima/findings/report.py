"""The report: verdicts, figures and facts as one page that needs nothing else, not even a network."""

import base64
import re
import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from minima.atomic import write_text
from minima.findings import words
from minima.findings.words import VERDICTS, is_known

PNG = b"\x89PNG\r\n\x1a\n"
DOTS_PER_PIXEL = 150 / 96  # figures are drawn at 150 dots per inch; a page has 96


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
    """A place of a block's grid: the verdict of most of `n` converged seeds, the candidate that it is about,
    which is the nearest where it names none, and how far that one stands."""

    words: str
    nearest: str
    votes: int
    n: int
    candidate: str
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
        "number": words.number,
        "estimate": words.estimate,
        "minus": words.minus,
        "units": words.units,
        "survival": words.survival,
        "beside": words.beside,
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
        tested=words.tested(claims),
        reading=words.READING,
        verdicts={verdict: counts[verdict] for verdict in VERDICTS},
        verdict_of={claim["id"]: claim["verdict"] for claim in claims},
        claimed=list(dict.fromkeys(claim["study"] for claim in claims)),
        drawn={(study.name, figure.name) for study in studies for figure in study.figures},
    )


def write_report(path: str | Path, html: str) -> None:
    """A reader sees the whole page or the one before."""
    write_text(html, Path(path))


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
