"""What a run would train, and why: the plan joined with the store's inventory, before anyone pays."""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from minima import store
from minima.data.files import split_digests
from minima.findings.outcomes import NAMES, outcomes
from minima.findings.records import keys_of_studies
from minima.findings.spectra import spectral
from minima.findings.words import duration
from minima.plan.convergence import Known, recorded, runs, trajectories
from minima.plan.cost import at_most, cost_of, expected, job_memory_mb
from minima.plan.files import data_file, training_rows
from minima.plan.fingerprint import cell_fingerprint, code_used, training_modules
from minima.plan.grid import Cell
from minima.plan.versions import library_versions
from minima.plan.workplan import Plan
from minima.training.recording import step_grid

CACHED, NEW, CHANGED, ORPHANED = STATES = "cached", "new", "changed", "orphaned"
OTHER_START = "the cell that it starts from"
EMPTY_SHARD_MB, LABELS_MB = 0.035, 0.0015  # measured
CODE = "code: "
MODULES_SAID = 3  # of those that have changed: people read no more, machines get all


@dataclass(frozen=True)
class Price:
    """`Price` is what training takes on one core: expected by what like networks took, and at most, where
    every network runs to its last step."""

    expected_seconds: float = 0.0
    at_most_seconds: float = 0.0

    def __add__(self, other: "Price") -> "Price":
        return Price(
            self.expected_seconds + other.expected_seconds, self.at_most_seconds + other.at_most_seconds
        )


@dataclass
class Forecast:
    """Cells by study and state, the reasons of the changed ones, and what training the rest costs, in all and
    by study; a cell of two studies is trained once and counts in both.

    Orphaned cells of a study are stored, its records name them, and this config would not use them.
    """

    studies: dict[str, Counter] = field(default_factory=lambda: defaultdict(Counter))
    reasons: dict[str, Counter] = field(default_factory=lambda: defaultdict(Counter))
    in_use: set[str] = field(default_factory=set)  # keys of the cached cells
    unused: int = 0  # stored cells that this config would not use, of recorded studies or not
    other_versions: dict[str, int] = field(default_factory=dict)  # of libraries → cached cells they trained
    jobs: int = 0
    price: Price = field(default_factory=Price)
    prices: dict[str, Price] = field(default_factory=lambda: defaultdict(Price))
    peak_memory_mb: int = 0
    disk_mb: float = 0.0


def forecasts(plan: Plan) -> dict[str, Forecast]:
    """`forecasts` returns what the config as it is asked to run would train (""), and what each of its
    replications would beside it."""
    entries = list(store.inventory(Path(plan.paths.store), NAMES))
    others = plan.config.replications if plan.chosen is plan else ()
    plans = {"": plan.chosen} | {name: plan.of(name) for name in others}
    found = {name: forecast(one, entries) for name, one in plans.items()}
    used = set[str]().union(*(one.in_use for one in found.values()))
    found[""].unused = len({entry.identity.key for entry in entries} - used)
    return found


def forecast(plan: Plan, entries: Sequence[store.Entry] | None = None) -> Forecast:
    """Reads the keys of the store and the digests of data already prepared; trains and writes nothing.

    Where data are not prepared yet, a stored cell of the same fields counts as cached: its data are taken to
    come out as they were.
    """
    entries = list(store.inventory(Path(plan.paths.store), NAMES)) if entries is None else entries
    stored: dict[str, list[store.Entry]] = defaultdict(list)
    for entry in entries:
        stored[entry.identity.cell].append(entry)
    digests = _known_digests(plan)
    neighbours = _Neighbours(e.identity.fields for e in entries if e.identity.cell not in plan.cells)
    states: dict[str, tuple[str, str]] = {}
    cached: dict[str, store.Entry] = {}  # from which others may start

    def look_up(cell: Cell) -> None:
        if cell.digest in states:
            return
        start = store.NO_START
        if cell.start is not None:
            look_up(cell.start)
            # One that is still to be trained fits no stored cell.
            start = cached[cell.start.digest].identity.key if cell.start.digest in cached else ""
        data = digests.get((data_file(cell).name, cell.split))
        state, reason, entry = _state(cell, data, start, stored[cell.digest], neighbours, plan.config.reuse)
        states[cell.digest] = state, reason
        if entry:
            cached[cell.digest] = entry

    found = Forecast()
    lengths = expected(_known(plan, entries))

    def price(cells: Sequence[Cell]) -> Price:
        return Price(cost_of(cells, lengths).seconds, cost_of(cells, at_most).seconds)

    studies = {
        study: {cell.digest for grid in plan.blocks_of(study).values() for cell in grid.cells}
        for study in plan.studies
    }
    for pack in plan.packs.values():
        for cell in pack.cells:
            look_up(cell)
        missing = [cell for cell in pack.cells if states[cell.digest][0] != CACHED]
        if missing:
            found.jobs += 1
            found.price += price(missing)
            found.peak_memory_mb = max(found.peak_memory_mb, job_memory_mb(cost_of(missing)))
            found.disk_mb += disk_mb(missing)
        for study, digests_of_study in studies.items():
            if own := [cell for cell in missing if cell.digest in digests_of_study]:
                found.prices[study] += price(own)
    for study, cells in studies.items():
        for digest in cells:  # a cell of several blocks is trained once
            state, reason = states[digest]
            found.studies[study][state] += 1
            if reason:
                found.reasons[study][reason] += 1
    found.other_versions = dict(
        Counter(entry.versions for entry in cached.values() if entry.versions != library_versions())
    )
    _count_orphans(found, plan, entries, {entry.identity.key for entry in cached.values()})
    return found


def disk_mb(cells: Sequence[Cell]) -> float:
    """What a job that trains these cells adds to the disk: a shard, a pack, their share of the dataset."""
    return 2 * EMPTY_SHARD_MB + 3 * sum(map(_cell_mb, cells))


def _cell_mb(cell: Cell) -> float:
    """A cell in one file: labels, predictions, paths and, where they are kept, parameters."""
    data, network, record = cell["data"], cell["network"], cell["record"]
    outputs = cell.recipe.output_count()
    points = 2 * training_rows(data) + (2 + len(cell["predict"])) * data["test_size"]
    if record["plane"] is not None:
        points += record["plane"]["side"] ** 2
    steps = len(step_grid(record, cell["stop"]["max_steps"]))
    numbers = points * outputs + steps * (1 + network.get("depth", 10) * len(record["probes"]))
    if cell["keep_parameters"]:
        numbers += cell.part("network").size(cell.recipe.expected_input_shape(), outputs).parameters
    return LABELS_MB + 8e-6 * numbers


def _count_orphans(
    found: Forecast, plan: Plan, entries: Iterable[store.Entry], in_use: Collection[str]
) -> None:
    orphans = {entry.identity.key for entry in entries} - set(in_use)
    found.unused = len(orphans)
    found.in_use = set(in_use)
    for recorded_as, keys in keys_of_studies(Path(plan.paths.records)).items():
        replication, _, study = recorded_as.rpartition(".")
        if replication == plan.name and (count := len(orphans & keys)):
            found.studies[study][ORPHANED] = count


def _known(plan: Plan, entries: Sequence[store.Entry]) -> Known:
    """`_known` returns what the package has recorded of like networks, what the data's spectra tell of these,
    and what this store knows of them."""
    seen = list(outcomes(entries))
    return recorded().with_more([*spectral(plan, plan.cells.values()), *trajectories(seen), *runs(seen)])


def describe(found: Forecast) -> str:
    """The forecast as a table for people."""
    lines = [_row("study", STATES, ("expected", "at most"))]
    for study, counts in found.studies.items():
        price = found.prices.get(study, Price())
        times = [duration(price.expected_seconds), duration(price.at_most_seconds)]
        lines.append(_row(study, [counts[state] for state in STATES], times))
        lines += [
            f"    {count} changed: {_shortened(reason)}"
            for reason, count in found.reasons[study].most_common()
        ]
    if found.jobs:
        lines.append(
            f"{found.jobs} training jobs, on one core expected {duration(found.price.expected_seconds)}, "
            f"at most {duration(found.price.at_most_seconds)}; {found.peak_memory_mb} MB of memory in the "
            f"largest, {found.disk_mb:.0f} MB of disk in all"
        )
    else:
        lines.append("Nothing to train.")
    lines += [
        f"{count} of the cached cells were trained by {versions}, not by today's {library_versions()} "
        "(--config reuse=same_versions trains them again)"
        for versions, count in sorted(found.other_versions.items())
    ]
    if found.unused:
        lines.append(f"{found.unused} stored cells are not used by this config (snakemake --cores 1 prune)")
    return "\n".join(lines)


def describe_all(found: Mapping[str, Forecast]) -> str:
    """`describe_all` returns the forecast of the studies as they are, and a line for each replication."""
    lines = [describe(found[""])]
    if len(found) > 1:
        lines += ["", _row("replication", STATES[:3], ("expected", "at most"))]
    for name, one in found.items():
        if name:
            states = [sum(counts[state] for counts in one.studies.values()) for state in STATES[:3]]
            times = (one.price.expected_seconds, one.price.at_most_seconds)
            lines.append(_row(name, states, map(duration, times)))
    return "\n".join(lines)


def _row(study: str, counts: Iterable[object], times: Iterable[str]) -> str:
    """`_row` returns a line of the table; a time may be as long as `38771 days`."""
    cells = [*(f"{count:>10}" for count in counts), *(f"{time:>12}" for time in times)]
    return "".join([f"{study:<24}", *cells])


def as_json(found: Forecast) -> dict:
    """The forecast for machines."""
    prices = {study: vars(found.prices.get(study, Price())) for study in found.studies}
    return {
        "studies": {
            study: {state: counts[state] for state in STATES} | prices[study]
            for study, counts in found.studies.items()
        },
        "reasons": {study: dict(reasons) for study, reasons in found.reasons.items()},
        "unused": found.unused,
        "jobs": found.jobs,
        "peak_memory_mb": found.peak_memory_mb,
        "disk_mb": found.disk_mb,
    } | vars(found.price)


def _known_digests(plan: Plan) -> dict[tuple[str, int], str]:
    """(data file, split) → digest of its arrays, for data already prepared."""
    known = {}
    for name in plan.data_files:
        path = Path(plan.paths.data(name))
        if path.exists():
            known |= {(name, split): digest for split, digest in split_digests(path).items()}
    return known


def _state(
    cell: Cell,
    data: str | None,
    start: str,
    entries: list[store.Entry],
    neighbours: "_Neighbours",
    reuse: str,
) -> tuple[str, str, store.Entry | None]:
    """`_state` returns whether a cell is cached, new or changed; the reason of a change; the cached cell."""
    code = cell_fingerprint(cell)
    same_data = [entry for entry in entries if data in (None, entry.identity.data)]
    same_start = [entry for entry in same_data if entry.identity.start == start]
    if fitting := [entry for entry in same_start if store.serves(entry, code, reuse)]:
        return CACHED, "", store.best(fitting, code)
    if same_start:
        return CHANGED, _difference(cell, store.best(same_start, code)), None
    if same_data:
        return CHANGED, OTHER_START, None
    if entries:
        return CHANGED, f"data: {cell['data']['source']}, split {cell.split}", None
    reason = neighbours.difference(cell.json)
    return (CHANGED, reason, None) if reason else (NEW, "", None)


def _difference(cell: Cell, entry: store.Entry) -> str:
    """`_difference` returns in what today's code, or else its libraries, differ from those that trained a
    stored cell."""
    if entry.identity.code == cell_fingerprint(cell):
        return f"versions: {entry.versions} → {library_versions()}"
    old, new = entry.modules, code_used(training_modules(cell.values))
    changed = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    return f"{CODE}{', '.join(changed)}"


def _shortened(reason: str) -> str:
    """`_shortened` returns a reason of one line: of many changed modules the first, and how many more."""
    modules = reason.removeprefix(CODE).split(", ")
    if not reason.startswith(CODE) or len(modules) <= MODULES_SAID + 1:  # one more is no longer than "1 more"
        return reason
    said = ", ".join(modules[:MODULES_SAID])
    return f"{CODE}{said} and {len(modules) - MODULES_SAID} more (results/plan.json names all)"


class _Neighbours:
    """Stored cells that the config no longer asks for, to be found by all but one of their fields."""

    def __init__(self, cells: Iterable[str]) -> None:
        self.by_rest: dict[int, str] = {}
        for fields in cells:
            for name, old, rest in _one_out(fields):
                self.by_rest.setdefault(hash((name, rest)), old)

    def difference(self, fields: str) -> str:
        """`network.width 64 → 128` where a cell differs from an unwanted one in one field, else nothing."""
        for name, new, rest in _one_out(fields) if self.by_rest else ():
            old = self.by_rest.get(hash((name, rest)))
            if old is not None:
                return OTHER_START if name == "init.start" else f"{name} {old} → {new}"
        return ""


def _one_out(fields: str) -> Iterator[tuple[str, str, frozenset]]:
    """Each field of a cell: its path, its value and all the others."""
    items = frozenset(
        (f"{section}.{key}" if key else section, json.dumps(value, ensure_ascii=False))
        for section, values in json.loads(fields).items()
        for key, value in (values.items() if isinstance(values, dict) else [("", values)])
    )
    for name, value in items:
        yield name, value, items - {(name, value)}
