"""From a run's results to its report: what the page shows is gathered here, how it looks is `report`'s."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minima.findings import words as said
from minima.findings.claims import read_verdicts
from minima.findings.report import FigureEntry, StudySection, ToCome, render, write_report
from minima.findings.sections import Section, read_section

if TYPE_CHECKING:
    from minima.plan.grid import Grid
    from minima.plan.workplan import Plan

PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "xarray", "snakemake")


def write_run_report(plan: "Plan", output: Path) -> None:
    """`write_run_report` writes the page of all studies of this run."""
    verdicts = read_verdicts(Path(plan.paths.claims)) if plan.claims else []
    sections = {study: read_section(Path(plan.paths.section(study))) for study in plan.studies}
    write_report(output, _page(plan, sections, verdicts, output))


def write_report_so_far(plan: "Plan") -> None:
    """`write_report_so_far` writes the page of the studies that are described; it says which are not, and
    that no verdict is corrected yet.

    The page is as old as what it is made of, so that Snakemake, for which it is a product of `write_report`
    alone, makes it anew, also when a run ends in between. Another job may describe another study just now:
    whoever is the last to look sees all of them.
    """
    output = Path(plan.paths.report)
    written = None
    while (described := _described(plan)) != written:
        verdicts = [one for study in described for one in _verdicts(plan, study)]
        write_report(output, _page(plan, described, verdicts, output, so_far=True))
        oldest = min(Path(plan.paths.section(study)).stat().st_mtime for study in described)
        os.utime(output, (oldest - 1, oldest - 1))
        written = described


def _described(plan: "Plan") -> dict[str, Section]:
    """`_described` returns the parts of this very config's studies that are there."""
    files = {study: Path(plan.paths.section(study)) for study in plan.studies}
    sections = {study: read_section(path) for study, path in files.items() if path.exists()}
    return {study: found for study, found in sections.items() if found.origin == plan.stamps.origin(study)}


def _verdicts(plan: "Plan", study: str) -> list[dict[str, Any]]:
    return [one for path in plan.verdicts_of(study) for one in read_verdicts(Path(path))]


def _page(
    plan: "Plan",
    sections: Mapping[str, Section],
    verdicts: Sequence[Mapping[str, Any]],
    output: Path,
    so_far: bool = False,
) -> str:
    studies = [_section(plan, study, found, output, so_far) for study, found in sections.items()]
    counts = [Counter(block) for found in sections.values() for block in found.statuses.values()]
    parts = [part for claim in plan.claims for part in claim.asked]
    links = {part.estimand.split(".")[0]: _code(part.module, output) for part in parts}
    facts = {
        "Networks": _counted(sum(counts, Counter())),
        "Digest of studies, data and claims": plan.config_digest,
        "Made with": ", ".join(f"{package} {version(package)}" for package in PACKAGES),
    }
    return render(verdicts, studies, facts, links, _to_come(plan, sections) if so_far else None)


def _to_come(plan: "Plan", sections: Mapping[str, Section]) -> ToCome:
    """`_to_come` returns what is missing: the studies, in the order in which they are expected, and their
    share of the training."""
    expected = plan.turns(1).studies
    ends = [*expected.values()]
    share = 0.0
    for (study, end), before in zip(expected.items(), [0.0, *ends], strict=False):
        share += (end - before) / ends[-1] if study not in sections else 0.0
    return ToCome([study for study in expected if study not in sections], share)


def _section(plan: "Plan", study: str, found: Section, output: Path, so_far: bool) -> StudySection:
    settings = plan.config.studies[study]
    blocks = [
        (name, f"{_axes(grid)}: {_counted(Counter(found.statuses[name]))}")
        for name, grid in plan.blocks_of(study).items()
    ]
    figures = [
        _figure(plan, study, name, output)
        for name in settings.figures
        if not so_far or _is_drawn(plan, study, name)
    ]
    dataset = os.path.relpath(plan.paths.dataset(study), output.parent)
    title = settings.title or study
    again, options = plan.paths.again(""), plan.config.options
    return StudySection(
        study, title, settings.citation, dataset, blocks, figures, found.nearest, again, options
    )


def _is_drawn(plan: "Plan", study: str, name: str) -> bool:
    """`_is_drawn` returns whether a figure is there, and not of the dataset before this one."""
    figure, dataset = Path(plan.paths.figure(study, name, "png")), Path(plan.paths.dataset(study))
    return figure.exists() and figure.stat().st_mtime >= dataset.stat().st_mtime


def _code(module: str, output: Path) -> str:
    return os.path.relpath(str(import_module(module).__file__), output.absolute().parent)


def _figure(plan: "Plan", study: str, name: str, output: Path) -> FigureEntry:

    def link(suffix: str) -> str:
        return os.path.relpath(plan.paths.figure(study, name, suffix), output.parent)

    return FigureEntry(
        name=name,
        caption=plan.caption(study, name),
        png=Path(plan.paths.figure(study, name, "png")),
        svg=link("svg"),
        table=link("csv"),
        script=_code(plan.figure_module(study, name), output),
        claims=plan.claims_shown(study, name),
    )


def _axes(grid: "Grid") -> str:
    """`width 64, 256 × scale 0.5 … 3 (5) × 10 seeds`."""
    *axes, seeds = grid.axes
    words = []
    for axis in axes:
        labels = [*map(said.label, axis.labels)]
        many = len(labels) > 4
        words.append(
            f"{axis.dimension} {labels[0]} … {labels[-1]} ({len(labels)})"
            if many
            else f"{axis.dimension} {', '.join(labels)}"
        )
    count = len(seeds.labels)
    return " × ".join([*words, f"{count} seed" + "s" * (count > 1)])


def _counted(statuses: Counter) -> str:
    kinds = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items()))
    return f"{statuses.total()} networks ({kinds})"
