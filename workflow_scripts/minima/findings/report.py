"""The report: verdicts, figures and facts as one page that needs nothing else, not even a network."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minima.atomic import write_text
from minima.findings import words
from minima.findings.maps import NearestMap
from minima.findings.pages import rendered
from minima.findings.words import NOT_ASKED, VERDICTS


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
class StudySection:
    """A study as the page shows it; `blocks` holds each block's name and what it trains, in words; `dataset`
    is a link relative to the page, `again` what stands before a network's name in the file that is made by
    training the network again, `options` those by which Snakemake has the config of this page."""

    name: str
    title: str
    citation: str
    dataset: str
    blocks: list[tuple[str, str]]
    figures: list[FigureEntry]
    nearest: list[NearestMap]
    again: str = ""
    options: str = ""

    @property
    def minimizers(self) -> list[str]:
        """`minimizers` returns those that networks of the study converged to: each has its colour."""
        found = {name for one in self.nearest for nearest, _ in one.counts for name in nearest.split(" or ")}
        names = dict.fromkeys(name for one in self.nearest for name in one.minimizers)
        return [name for name in names if name in found]


@dataclass(frozen=True)
class ToCome:
    """What a page so far lacks: studies, and their share of all training as the plan expects it."""

    studies: list[str]
    share: float


def render(
    claims: Sequence[Mapping[str, Any]],
    studies: Sequence[StudySection],
    facts: Mapping[str, str],
    links: Mapping[str, str],
    to_come: ToCome | None = None,
) -> str:
    """The page as text, the same for the same values; claims are as `findings.claims.judge` gives them,
    corrected but on a page so far; `links` lead from estimands' modules to their code."""
    counts = Counter(claim["verdict"] for claim in claims)
    shown = VERDICTS + (NOT_ASKED,) * (NOT_ASKED in counts)
    return rendered(
        "report.html.j2",
        claims=claims,
        studies=studies,
        facts=facts,
        links=links,
        to_come=to_come,
        datasets={study.name: study.dataset for study in studies},
        tested=words.tested(claims),
        reading=words.READING,
        verdicts={verdict: counts[verdict] for verdict in shown},
        verdict_of={claim["id"]: claim["verdict"] for claim in claims},
        claimed=list(dict.fromkeys(claim["study"] for claim in claims)),
        drawn={(study.name, figure.name) for study in studies for figure in study.figures},
    )


def write_report(path: str | Path, html: str) -> None:
    """A reader sees the whole page or the one before."""
    write_text(html, Path(path))
