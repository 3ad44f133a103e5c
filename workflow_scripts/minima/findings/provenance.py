"""The provenance of a run's results: `results/provenance.json`.

What may differ between two runs that find the same stands here and in the logs, and in no other result.
"""

import hashlib
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from platform import python_version
from typing import TYPE_CHECKING, Any

import pandas as pd

from minima import store
from minima.atomic import write_text
from minima.findings.files import write_json
from minima.findings.records import record_path, used_keys
from minima.jobs import journal
from minima.plan.fingerprint import cell_fingerprint, code_used, training_modules
from minima.plan.layers import shown
from minima.plan.studies import files_in, folders

if TYPE_CHECKING:
    from minima.plan.workplan import Plan

CODE = Path(__file__).parents[3]
NOTHING = {"cells": 0, "seconds": 0.0, "cpu_seconds": 0.0}


def write_provenance(plan: "Plan", output: Path, page: Path) -> None:
    """`write_provenance` writes the provenance of a run whose datasets are written, and `page`, its times."""
    used = used_keys(Path(plan.paths.records))
    records = {study: record_path(plan, study) for study in plan.studies}
    if gone := [str(path) for path in records.values() if path.stem not in used]:
        raise FileNotFoundError(
            f"{', '.join(gone)}: deleted, and it says which cells this run uses; it is written again by "
            "snakemake --cores all --forcerun aggregate_study"
        )
    keys = {study: used[path.stem] for study, path in records.items()}
    devices, training, versions = _training(plan, keys)
    content = {
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "config": plan.config.model_dump(mode="json"),
        "config_digest": plan.config_digest,
        "files": _files(plan),
        "cells": {study: sorted(mine) for study, mine in keys.items()},
        "seeds": {study: _seeds(plan, study) for study in plan.studies},
        "fingerprints": _fingerprints(plan),
        "git": git_state(CODE),
        "python": python_version(),
        "packages": {d.name: d.version for d in sorted(distributions(), key=lambda d: d.name.lower())},
        "devices": devices,
        "training": training,
        "versions": versions,
        "wall_seconds": _wall_seconds(plan),
    }
    write_json(content, output)
    write_text(runtimes(content), page)


def runtimes(content: Mapping[str, Any]) -> str:
    """`runtimes` returns the times of a provenance as a page."""
    lines = [
        "# How long it took",
        "",
        "Of the cells that this run uses, whenever they were trained; `journal/` has every shard.",
        "",
        "| study | networks | seconds of training | seconds of CPU |",
        "|---|---|---|---|",
    ]
    for study, spent in content["training"].items():
        lines.append(f"| {study} | {spent['cells']} | {spent['seconds']:.0f} | {spent['cpu_seconds']:.0f} |")
    lines += [
        "",
        "Jobs run side by side. All jobs of a rule together, each as it last ran, with starting Python and,",
        "where cells were in the store already, without training; `benchmarks/` has every job.",
        "",
        "| rule | seconds |",
        "|---|---|",
    ]
    lines += [f"| {rule} | {seconds:.0f} |" for rule, seconds in content["wall_seconds"].items()]
    return "\n".join(lines) + "\n"


def _files(plan: "Plan") -> dict[str, str]:
    """`_files` returns path → digest of every file of the studies' folders, of the extensions and of the
    user's own networks."""
    used = [folders()[study] for study in plan.studies if study in folders()]
    extensions = map(Path, plan.config.extensions)
    paths = [path for folder in (*used, *extensions) for path in files_in(folder)]
    paths += plan.network_files.values()
    return {shown(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def _seeds(plan: "Plan", study: str) -> list[int]:
    return sorted({cell["seed"] for grid in plan.blocks_of(study).values() for cell in grid.cells})


def _fingerprints(plan: "Plan") -> dict[str, dict[str, Any]]:
    """Fingerprint → how many of the config's cells have it, and the modules behind it with their digests."""
    counts = Counter(cell_fingerprint(cell) for cell in plan.cells.values())
    examples = {cell_fingerprint(cell): cell for cell in plan.cells.values()}
    return {
        code: {"cells": counts[code], "modules": code_used(training_modules(cell.values))}
        for code, cell in examples.items()
    }


def git_state(folder: Path) -> dict[str, Any] | None:
    """The commit of the code and what differs from it; None where the folder is no git checkout."""
    try:
        top, commit = _git(folder, "rev-parse", "--show-toplevel", "HEAD").splitlines()
        if Path(top).resolve() != folder.resolve():
            return None
        changes = _git(folder, "status", "--porcelain").splitlines()
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return {"commit": commit, "dirty": bool(changes), "changes": changes}


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def _training(
    plan: "Plan", keys: Mapping[str, set[str]]
) -> tuple[dict[str, Any], dict[str, Any], dict[str, int]]:
    """Device and study → how many cells were trained, and how long; device `not recorded` for a lost journal.
    Versions of libraries → how many stored cells they trained.

    A shard's time is shared evenly among its cells; a cell of two studies counts in both.
    """
    stored: dict[str, set[str]] = defaultdict(set)
    versions: Counter[str] = Counter()
    used = set().union(*keys.values())
    for entry in store.inventory(Path(plan.paths.store)):
        if (key := entry.identity.key) in used:
            stored[f"{entry.shard.parent.name}/{entry.shard.name}"].add(key)
            versions[entry.versions] += 1
    devices: dict[str, dict[str, Any]] = defaultdict(lambda: NOTHING | {"hosts": set()})
    studies = {study: dict(NOTHING) for study in keys}
    for entry in _journal_of(plan):
        if cells := stored.pop(entry["shard"], set()):
            device = devices[entry["device"]]
            device["hosts"].add(entry["host"])
            _count(device, entry, len(cells), whole=True)
            for study, mine in keys.items():
                _count(studies[study], entry, len(cells & mine))
    if stored:
        devices["not recorded"]["cells"] = sum(map(len, stored.values()))
    devices = {name: device | {"hosts": sorted(device["hosts"])} for name, device in devices.items()}
    return devices, studies, dict(versions)


def _count(total: dict[str, Any], entry: Mapping[str, Any], cells: int, whole: bool = False) -> None:
    total["cells"] += cells
    for clock in ("seconds", "cpu_seconds"):
        share = 1 if whole else cells / entry["cells"]
        total[clock] = round(total[clock] + share * entry[clock], 3)


def _journal_of(plan: "Plan") -> Iterable[dict[str, Any]]:
    """`_journal_of` returns the journal of every pack that was ever trained here, as cells move between packs
    when a config changes."""
    for path in sorted(Path(plan.paths.journal("")).parent.glob("*.jsonl")):
        yield from journal.entries(path)


def _wall_seconds(plan: "Plan") -> dict[str, float]:
    """`_wall_seconds` returns rule → seconds of its jobs together, each job as it last ran."""
    jobs = {
        "prepare_data": plan.data_files,
        "train_pack": plan.packs,
        "fit_reference": plan.reference_fits,
        "aggregate_study": plan.studies,
    }
    return {
        rule: round(sum(_seconds(Path(plan.paths.benchmark(rule, name))) for name in names), 2)
        for rule, names in jobs.items()
    }


def _seconds(benchmark: Path) -> float:
    return float(pd.read_csv(benchmark, sep="\t")["s"].sum()) if benchmark.exists() else 0.0
