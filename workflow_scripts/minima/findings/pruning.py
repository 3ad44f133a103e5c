"""Stored cells that no record and not the present config uses: listed, or moved aside; never deleted."""

import shlex
import shutil
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from minima import store
from minima.findings.records import used_keys
from minima.plan.fingerprint import cell_fingerprint
from minima.plan.grid import Cell
from minima.plan.mistakes import ConfigError
from minima.plan.studies import folders
from minima.plan.workplan import Plan


@dataclass(frozen=True)
class Unused:
    """`Unused` is a shard none of whose cells is in use."""

    path: Path
    cells: int
    megabytes: float


def unused_shards(plan: Plan) -> list[Unused]:
    """`unused_shards` returns the shards to prune. A shard with one cell in use stays whole, as shards are
    immutable."""
    configured = _configured(plan)
    recorded = set().union(*used_keys(Path(plan.paths.records)).values())
    cells: dict[Path, int] = defaultdict(int)
    in_use: set[Path] = set()
    for entry in store.inventory(Path(plan.paths.store)):
        cells[entry.shard] += 1
        wanted = configured.get(entry.identity.cell)
        if entry.identity.key in recorded or (wanted and _serves(plan, wanted, entry)):
            in_use.add(entry.shard)
    return [
        Unused(path, count, path.stat().st_size / 1e6) for path, count in cells.items() if path not in in_use
    ]


def prune(plan: Plan) -> str:
    """`prune` returns in words what is unused, and with `prune: move` moves it aside."""
    shards = unused_shards(plan)
    records = sorted(used_keys(Path(plan.paths.records)))
    lines = [f"Records of use in {plan.paths.records}: {', '.join(records) or 'none'}"]
    if not shards:
        return "\n".join([*lines, "Every stored cell is in use."])
    cells, megabytes = sum(s.cells for s in shards), sum(s.megabytes for s in shards)
    lines.append(f"{cells} cells in {len(shards)} shards ({megabytes:.1f} MB) are used by none of them")
    if plan.config.prune == "list":
        lines += [f"  {shard.path}: {shard.cells} cells" for shard in shards]
        return "\n".join([*lines, "To move them aside: snakemake --cores 1 prune --config prune=move"])
    aside = Path(plan.paths.pruned)
    for shard in shards:
        target = aside / shard.path.parent.name / shard.path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(shard.path, target)
    return "\n".join([*lines, f"They were moved to {aside}. To delete them: rm -r {shlex.quote(str(aside))}"])


def _configured(plan: Plan) -> dict[str, Cell]:
    """`_configured` returns the cells of all studies, also of those that are not to run now, or whose run has
    not come to its record yet."""
    cells = Plan(plan.whole | {"run": None}).cells
    own = {"extensions": plan.config.extensions, "network_dirs": plan.config.network_dirs}
    for study in {*folders()} - {*plan.config.studies}:
        with suppress(ConfigError):
            cells |= Plan({"run": [study]} | own).cells
    return cells


def _serves(plan: Plan, cell: Cell, entry: store.Entry) -> bool:
    """`_serves` returns whether a stored cell of these fields would be taken from the store for the present
    config, if its data are the same."""
    return store.serves(entry, cell_fingerprint(cell), plan.config.reuse)
