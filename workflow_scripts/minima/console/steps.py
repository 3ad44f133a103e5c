"""The steps of a run: the jobs that are to be done, in the plan's words."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from minima.plan.packs import Pack
from minima.plan.workplan import Plan

STEP_SECONDS = 4.0  # of one core: to start and to write, which is all that most steps do
NAMED = 2  # blocks, networks and optimizers of a pack that are named, of more how many

Blocks = dict[str, dict[str, set[str]]]  # study → block → digests of its networks


class Key(NamedTuple):
    """`Key` is whose networks are meant: those of a study on a data set ("": the registered one)."""

    data_set: str
    study: str


class Job(NamedTuple):
    """`Job` is a job as the workflow's engine knows it."""

    rule: str
    wildcards: Mapping[str, str]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Step:
    """`Step` is what a job does, in words, and what is expected of it: seconds on one core, and how many
    networks it trains for each study that it belongs to, of which data set ("": the studies' own)."""

    doing: str
    outputs: tuple[str, ...] = ()
    data_set: str = ""
    studies: Mapping[str, int] = field(default_factory=dict)
    networks: int = 0
    seconds: float = STEP_SECONDS


def steps_of(plan: Plan, jobs: Mapping[int, Job]) -> dict[int, Step]:
    """`steps_of` returns the steps of a run by the numbers of their jobs."""
    plans: dict[str, Plan] = {}
    homes: dict[str, dict[str, Blocks]] = {}
    steps = {}
    for number, job in jobs.items():
        within = job.wildcards.get("within", "")
        if within not in plans:
            plans[within] = plan.at(within)
            homes[within] = _homes(plans[within])
        steps[number] = _step(job, plans[within], homes[within])
    return steps


def networks_of(plan: Plan, data_sets: Iterable[str]) -> dict[Key, int]:
    """`networks_of` returns how many networks each study has on each of these data sets."""
    found: dict[Key, set[str]] = defaultdict(set)
    for name in data_sets:
        for (study, _), grid in plan.of(name).grids.items():
            found[Key(name, study)].update(cell.digest for cell in grid.cells)
    return {key: len(cells) for key, cells in found.items()}


def _homes(plan: Plan) -> dict[str, Blocks]:
    """`_homes` returns the studies, blocks and networks of each pack."""
    pack_of = {cell.digest: pack.name for pack in plan.packs.values() for cell in pack.cells}
    homes: dict[str, Blocks] = defaultdict(lambda: defaultdict(lambda: defaultdict(set)))
    for (study, block), grid in plan.grids.items():
        for cell in grid.cells:
            homes[pack_of[cell.digest]][study][block].add(cell.digest)
    return homes


def _step(job: Job, plan: Plan, homes: Mapping[str, Blocks]) -> Step:
    pack = plan.packs.get(job.wildcards.get("pack", ""))
    if pack is None:
        name = next((value for key, value in job.wildcards.items() if key != "within"), "")
        studies = {name: 0} if job.wildcards.get("study") else {}
        doing = " ".join(filter(None, [job.rule.replace("_", " "), name]))
        return Step(_on(plan.name, doing), job.outputs, plan.name, studies)
    blocks = homes[pack.name]
    trained = {study: len(set[str]().union(*blocks[study].values())) for study in blocks}
    doing = _on(plan.name, _training(pack, blocks))
    seconds = STEP_SECONDS + pack.cost.seconds
    return Step(doing, job.outputs, plan.name, trained, len(pack.cells), seconds)


def _training(pack: Pack, blocks: Blocks) -> str:
    """`_training` returns what a pack trains: `24 networks of momentum main: mlp, gd and nesterov`."""
    where = "; ".join(f"{study} {_named(blocks[study])}" for study in sorted(blocks))
    kinds = {cell["network"]["kind"] for cell in pack.cells}
    optimizers = {cell["optimizer"]["name"] for cell in pack.cells}
    return f"{counted(len(pack.cells), 'network')} of {where}: {_named(kinds)}, {_named(optimizers)}"


def _named(names: Iterable[str]) -> str:
    """`_named` returns names as people list them: a few, and how many more."""
    names = sorted(names)
    if len(names) > NAMED:
        return f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"
    return " and ".join(names)


def _on(data_set: str, doing: str) -> str:
    return f"{data_set}: {doing}" if data_set else doing


def counted(count: int, thing: str) -> str:
    """`counted` returns `1 network` or `1,200 networks`."""
    ending = "" if count == 1 else "ies" if thing.endswith("y") else "s"
    return f"{count:,} {thing[:-1] if ending == 'ies' else thing}{ending}"
