"""The table claim × data set as people read it: results/replications.md, a page, and forest plots."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from minima.atomic import write_text
from minima.findings.files import write_json
from minima.findings.forest import draw_forests
from minima.findings.replications import compare
from minima.findings.words import NOT_ASKED, SUPPORTED, estimate, interval, minus, number, row

READING = (
    "Each data set is asked by the register as it is, with its estimands, regions and controls, on seeds of "
    "its own; the first is the one of the run as registered. The number is that of the claim's headline "
    "part, as it is named there; the verdict is that of all its parts and its control, and a note says what "
    "decided it. Reach counts the data sets of which a claim was asked, no others. Holm's correction is over "
    "the claims of one data set."
)
POOLED = (
    "A mean over data sets stands where the number means the same on each and three or more have it: a "
    "random-effects mean with the interval of Hartung, Knapp, Sidik and Jonkman, the standard deviation τ "
    "between data sets, and where a new one would lie. The data sets were not drawn at random, and some "
    "share images: it sums up these, and is no promise for yours."
)


def write_comparison(
    data_sets: Mapping[str, tuple[str, Path]],
    json_path: Path,
    markdown_path: Path,
    html_path: Path,
    figures_folder: Path,
) -> None:
    """`write_comparison` writes table, pages and forest plots of several runs' verdicts.

    Name → title and claims.json of each data set; the first is the one of the run as registered.
    """
    read = {name: json.loads(path.read_text(encoding="utf-8")) for name, (_, path) in data_sets.items()}
    comparison = compare({name: (title, read[name]) for name, (title, _) in data_sets.items()})
    write_text(as_markdown(comparison), markdown_path)
    draw_forests(comparison, figures_folder)
    write_json(comparison, json_path)


def as_markdown(comparison: Mapping[str, Any]) -> str:
    """`as_markdown` returns the page for people: a table per study, and notes on what a cell cannot say."""
    titles = {data_set["name"]: data_set["title"] for data_set in comparison["data_sets"]}
    lines = ["# The same claims on other data", "", READING, "", POOLED]
    for study in dict.fromkeys(claim["study"] for claim in comparison["claims"]):
        lines += ["", f"## {study}", "", *_table(study, comparison["claims"], titles)]
    return "\n".join(lines) + "\n"


def _table(study: str, claims: Sequence[Mapping[str, Any]], titles: Mapping[str, str]) -> list[str]:
    mine = [claim for claim in claims if claim["study"] == study]
    notes = Notes()
    lines = [row("claim", "reach", *titles.values()), "|" + "---|" * (2 + len(titles))]
    for claim in mine:
        what = f'<a id="{claim["id"]}"></a>**{claim["id"]}** {claim["statement"]}'
        which = f"{claim['label']}, {minus(claim['region'])}"
        reach = "<br>".join([f"**{claim['reach']}**", *pooled(claim)])
        cells = []
        for name in titles:
            verdict, found = cell(claim, claim["on"][name])
            note = notes.of(claim["on"][name])
            cells.append(" ".join(filter(None, [verdict, found])) + (f" [{note}]" if note else ""))
        lines.append(row(f"{what}<br>{which}", reach, *cells))
    return lines + [f"{'' if at else chr(10)}[{at + 1}] {text}  " for at, text in enumerate(notes.texts)]


class Notes:
    """The reasons that stand once below a table, by number."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def of(self, found: Mapping[str, Any]) -> int | None:
        """The number of a verdict's note, None where there is nothing to say."""
        if not (text := why(found)):
            return None
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text) + 1


def why(found: Mapping[str, Any]) -> str:
    """`why` returns what a verdict on one data set rests on where its headline number does not say it."""
    if found["verdict"] == NOT_ASKED:
        return f"{NOT_ASKED}: {found['reason']}"
    fewer = f"{found['parts_asked']} of {found['parts']} parts asked"
    said = found["reason"] if found["verdict"] != SUPPORTED else ""
    return "; ".join(filter(None, [fewer * (found["parts_asked"] < found["parts"]), said]))


def cell(claim: Mapping[str, Any], found: Mapping[str, Any]) -> tuple[str, str]:
    """`cell` returns a verdict and the number of its headline part, with its interval."""
    if found["verdict"] == NOT_ASKED:
        return NOT_ASKED, ""
    strong, _ = estimate(claim | found)
    between = "" if claim["interval"] == "count" else interval(found)
    return found["verdict"], " ".join(filter(None, [strong, between]))


def pooled(claim: Mapping[str, Any]) -> list[str]:
    """`pooled` returns a claim's mean over data sets, in words; nothing where there is none."""
    if not (found := claim["summary"]):
        return []
    new = interval({"low": found["new_low"], "high": found["new_high"]})
    return [
        f"mean over {found['n']} {number(found['mean'])} {interval(found)}, τ = {number(found['between'])}, "
        f"a new one in {new}"
    ]
