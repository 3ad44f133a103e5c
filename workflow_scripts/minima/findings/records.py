"""Which stored cells are in use: a record per study and config that was carried to its dataset.

    results/records/<study>_<config digest>.json
    results/records/<replication>.<study>_<config digest>.json

Deleting a record says that its cells are no longer wanted; `snakemake prune` then finds them.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from minima.findings.files import write_json

if TYPE_CHECKING:
    from minima.plan.workplan import Plan


def record_use(plan: "Plan", study: str, keys: list[str]) -> Path:
    """`record_use` writes that the study, as configured, uses the cells of these keys."""
    config = plan.config.model_dump(mode="json", include={"data": True, "studies": {study}})
    path = record_path(plan, study)
    write_json({"study": study, "config": config, "keys": keys}, path)
    return path


def record_path(plan: "Plan", study: str) -> Path:
    return Path(plan.paths.records) / f"{plan.recorded_as(study)}_{plan.stamps.study(study)}.json"


def keys_of_studies(folder: Path) -> dict[str, set[str]]:
    """`keys_of_studies` returns study → keys that any record of the study uses."""
    keys: dict[str, set[str]] = {}
    for name, used in used_keys(folder).items():
        keys.setdefault(name.rsplit("_", 1)[0], set()).update(used)
    return keys


def used_keys(folder: Path) -> dict[str, set[str]]:
    """`used_keys` returns record name → keys that the record uses."""
    return {
        path.stem: set(json.loads(path.read_text())["keys"]) for path in sorted(folder.glob("[!.]*.json"))
    }
