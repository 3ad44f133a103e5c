"""From a run's results to its report: what the page shows is gathered here, how it looks is `report`'s."""

import json
import os
from collections import Counter
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

from minima.findings import words as said
from minima.findings.figures import nearest_minimizer
from minima.findings.report import FigureEntry, NearestMap, Place, StudySection, render, write_report

if TYPE_CHECKING:
    from minima.plan.grid import Grid
    from minima.plan.workplan import Plan

PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "xarray", "snakemake")


def write_run_report(plan: "Plan", output: Path) -> None:
    """Writes the page of all studies of this run."""
    verdicts = json.loads(Path(plan.paths.claims).read_text(encoding="utf-8")) if plan.claims else []
    statuses: Counter[str] = Counter()
    sections = []
    for study in plan.studies:
        with xr.open_datatree(plan.paths.dataset(study), engine="netcdf4") as tree:
            counts = {
                name: Counter(node.ds.status.values.ravel().tolist())
                for name, node in tree["trained"].children.items()
            }
            mapped = tree["nearest"].children if "nearest" in tree.children else ()
            nearest = [_nearest(tree, block) for block in mapped]
        statuses += sum(counts.values(), Counter())
        sections.append(_section(plan, study, counts, nearest, output))
    parts = [part for claim in plan.claims for part in claim.asked]
    links = {part.estimand.split(".")[0]: _code(part.module, output) for part in parts}
    facts = {
        "Networks": _counted(statuses),
        "Digest of studies, data and claims": plan.config_digest,
        "Made with": ", ".join(f"{package} {version(package)}" for package in PACKAGES),
    }
    write_report(output, render(verdicts, sections, facts, links))


def _section(
    plan: "Plan", study: str, counts: dict[str, Counter], nearest: list[NearestMap], output: Path
) -> StudySection:
    settings = plan.config.studies[study]
    blocks = [
        (name, f"{_axes(grid)}: {_counted(counts[name])}") for name, grid in plan.blocks_of(study).items()
    ]
    figures = [_figure(plan, study, name, output) for name in settings.figures]
    dataset = os.path.relpath(plan.paths.dataset(study), output.parent)
    return StudySection(study, settings.title or study, settings.citation, dataset, blocks, figures, nearest)


def _nearest(tree: xr.DataTree, block: str) -> NearestMap:
    counts = Counter(tree[f"nearest/{block}"].ds.nearest.values.ravel().tolist())
    places = []
    for place in nearest_minimizer.tabulate(tree, block).itertuples():
        axes = [(place.x_axis, place.x_label), (place.y_axis, place.y_label)]
        words = [place.panel, *(f"{axis} {label}" for axis, label in axes if axis)]
        found = (place.nearest, place.votes, place.n, place.candidate, place.estimate)
        places.append(Place(", ".join(filter(None, words)), *found))
    return NearestMap(block, counts.most_common(), places)


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
