"""The table claim × data set as people read it: results/replications.md, a page, and forest plots."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minima.atomic import write_text
from minima.findings.files import write_json
from minima.findings.forest import CAPTION, draw_forests, drawn
from minima.findings.pages import rendered
from minima.findings.reach import compare, elsewhere
from minima.findings.words import NOT_ASKED, SUPPORTED, VERDICTS, estimate, interval, minus, number, row

READING = (
    "Each data set is asked by the register as it is, with its estimands, regions and controls, on seeds of "
    "its own; the first is the one for which the claims were registered. The number is that of one part of "
    "the claim, named beside it (the first of those asked of most data sets); the verdict is that of all its "
    "parts and its control, and a note says what decided it. Reach counts the data sets of which a claim was "
    "asked, and no others. Holm's correction is over the claims of one data set."
)
POOLED = (
    "A mean over data sets stands where the number means the same on each and three or more have it: a "
    "random-effects mean with the interval of Hartung, Knapp, Sidik and Jonkman, the standard deviation τ "
    "between data sets, and the interval of one more. These data sets were chosen, not drawn at random, and "
    "some share images: the mean sums them up and promises nothing of yours."
)


@dataclass
class StudyTable:
    """A study's claims that were asked elsewhere, on the data sets that were asked any of them; `titles` maps
    their names, `left_out` says of the other claims and data sets why not; notes are numbered from 1."""

    study: str
    titles: dict[str, str]
    claims: list[Mapping[str, Any]]
    left_out: list[str]
    notes: list[str] = field(default_factory=list)

    def cells(self, claim: Mapping[str, Any]) -> Iterator["Cell"]:
        """A claim's cell on each data set; what it cannot say becomes a note."""
        for name, title in self.titles.items():
            found = claim["on"][name]
            if (note := why(found)) and note not in self.notes:
                self.notes.append(note)
            at = self.notes.index(note) + 1 if note else None
            yield Cell(title, found["verdict"], *_numbers(claim, found), at)


@dataclass(frozen=True)
class Cell:
    """A verdict on a data set, the number of the part that is shown with its interval, and that of a note."""

    title: str
    verdict: str
    strong: str
    between: str
    note: int | None


def write_comparison(
    data_sets: Mapping[str, tuple[str, Path]],
    json_path: Path,
    markdown_path: Path,
    html_path: Path,
    figures_folder: Path,
) -> None:
    """`write_comparison` writes table, pages and forest plots of several runs' verdicts.

    Name → title and claims.json of each data set, its claims.md beside it; the first is the one for which
    the claims were registered.
    """
    read = {name: json.loads(path.read_text(encoding="utf-8")) for name, (_, path) in data_sets.items()}
    comparison = compare({name: (title, read[name]) for name, (title, _) in data_sets.items()})
    draw_forests(comparison, figures_folder)
    write_text(as_markdown(comparison), markdown_path)
    pages = {
        name: {
            said: os.path.relpath(path.with_name(file), html_path.parent)
            for said, file in (("verdicts", "claims.md"), ("report", "report.html"))
            if path.with_name(file).exists()
        }
        for name, (_, path) in data_sets.items()
    }
    write_text(as_html(comparison, pages, figures_folder, html_path.parent), html_path)
    write_json(comparison, json_path)


def as_html(
    comparison: Mapping[str, Any], pages: Mapping[str, Mapping[str, str]], figures: Path, beside: Path
) -> str:
    """`as_html` returns the page, which stands in `beside`; `pages` are links to those of each data set."""
    folder = os.path.relpath(figures, beside)
    return rendered(
        "replications.html.j2",
        data_sets=comparison["data_sets"],
        pages=pages,
        verdicts=VERDICTS,
        summary=summed_up(comparison),
        reading=READING,
        pooled=POOLED,
        said=pooled,
        tables=study_tables(comparison),
        pictures={study: figures / f"{study}.png" for study in drawn(comparison)},
        folder=folder,
        caption=CAPTION,
    )


def as_markdown(comparison: Mapping[str, Any], pictures: Mapping[str, str] | None = None) -> str:
    """`as_markdown` returns the page for people: a table per study, and notes on what a cell cannot say;
    `pictures` are links to the studies' forest plots."""
    said = [summed_up(comparison), READING, POOLED, *([f"Figures: {CAPTION}"] if pictures else [])]
    lines = ["# The same claims on other data", *(line for text in said for line in ("", text)), ""]
    lines += [row("data set", *VERDICTS, NOT_ASKED), "|---|---|---|---|---|"]
    for data_set in comparison["data_sets"]:
        counts = [data_set["verdicts"][verdict] for verdict in VERDICTS]
        others = len(comparison["claims"]) - sum(counts)
        lines.append(row(data_set["title"], *map(str, [*counts, others])))
    for table in study_tables(comparison):
        lines += ["", f"## {table.study}", "", *_table(table)]
        if pictures and table.study in pictures:
            lines += ["", f"![{table.study}]({pictures[table.study]})"]
    return "\n".join(lines) + "\n"


def _table(table: StudyTable) -> list[str]:
    lines = [row("claim", "reach", *table.titles.values()), "|" + "---|" * (2 + len(table.titles))]
    lines *= bool(table.claims)
    for claim in table.claims:
        what = f'<a id="{claim["id"]}"></a>**{claim["id"]}** {claim["statement"]}'
        which = f"{claim['label']}, {minus(claim['region'])}"
        reach = "<br>".join([f"**{claim['reach']}**", *pooled(claim)])
        cells = [
            " ".join(filter(None, [cell.verdict, cell.strong, cell.between, cell.note and f"[{cell.note}]"]))
            for cell in table.cells(claim)
        ]
        lines.append(row(f"{what}<br>{which}", reach, *cells))
    lines += [f"{'' if at else chr(10)}[{at + 1}] {text}  " for at, text in enumerate(table.notes)]
    return lines + [f"\n{words}" for words in table.left_out]


def study_tables(comparison: Mapping[str, Any]) -> list[StudyTable]:
    """`study_tables` returns each study's table."""
    titles = {data_set["name"]: data_set["title"] for data_set in comparison["data_sets"]}
    studies = dict.fromkeys(claim["study"] for claim in comparison["claims"])
    return [
        _study_table(study, [claim for claim in comparison["claims"] if claim["study"] == study], titles)
        for study in studies
    ]


def _study_table(study: str, claims: Sequence[Mapping[str, Any]], titles: Mapping[str, str]) -> StudyTable:
    def asked(claim: Mapping[str, Any], name: str) -> bool:
        return claim["on"][name]["verdict"] != NOT_ASKED

    others = [*titles][1:]
    shown = [claim for claim in claims if any(asked(claim, name) for name in others)]
    columns = {name: title for name, title in titles.items() if any(asked(claim, name) for claim in shown)}
    alone: dict[str, list[str]] = {}  # why → claims
    without: dict[str, list[str]] = {}  # why → data sets
    for claim in claims:
        if claim not in shown:
            alone.setdefault(_reasons(claim["on"][name] for name in others), []).append(claim["id"])
    for name in others if shown else ():
        if name not in columns:
            without.setdefault(_reasons(claim["on"][name] for claim in shown), []).append(titles[name])
    left_out = [f"Not asked elsewhere: {', '.join(ids)} ({reason})." for reason, ids in alone.items()]
    left_out += [f"Not asked of {', '.join(names)}: {reason}." for reason, names in without.items()]
    return StudyTable(study, columns, shown, left_out)


def _reasons(found: Iterable[Mapping[str, Any]]) -> str:
    return "; ".join(dict.fromkeys(on["reason"] for on in found))


def summed_up(comparison: Mapping[str, Any]) -> str:
    """`summed_up` returns in a sentence how many verdicts hold on other data."""
    others = len(comparison["data_sets"]) - 1
    if others < 1:
        return "No claim was asked of other data yet (`snakemake replications`)."
    supported, asked, everywhere = elsewhere(comparison["claims"], comparison["data_sets"])
    return (
        f"Of the {supported} claims that are supported on the data for which they were registered, {asked} "
        f"were asked of up to {others} other data sets, and {everywhere} of these "
        f"{'holds' if everywhere == 1 else 'hold'} on every data set asked."
    )


def why(found: Mapping[str, Any]) -> str:
    """`why` returns what a verdict on one data set rests on where the number beside it does not say it."""
    if found["verdict"] == NOT_ASKED:
        return f"{NOT_ASKED}: {found['reason']}"
    fewer = f"{found['parts_asked']} of {found['parts']} parts asked"
    said = found["reason"] if found["verdict"] != SUPPORTED else ""
    return "; ".join(filter(None, [fewer * (found["parts_asked"] < found["parts"]), said]))


def _numbers(claim: Mapping[str, Any], found: Mapping[str, Any]) -> tuple[str, str]:
    """The number of the part that is shown, to be printed strong, and its interval."""
    if not found.get("n"):
        return "", ""
    strong, _ = estimate(claim | found)
    return strong, "" if claim["interval"] == "count" else interval(found)


def pooled(claim: Mapping[str, Any]) -> list[str]:
    """`pooled` returns a claim's mean over data sets, in words; nothing where there is none."""
    if not (found := claim["summary"]):
        return []
    new = interval({"low": found["new_low"], "high": found["new_high"]})
    return [
        f"mean over {found['n']}: {number(found['mean'])} {interval(found)}, τ = {number(found['between'])}, "
        f"one more in {new}"
    ]
