"""In which turn jobs begin: studies end one after the other, the cheapest first, and no core waits at last.

A pack's turn is the second at which it should begin, on so many cores, were nothing trained yet. Packs stand
in the order of their studies, within a study the longest first; one for several studies stands with the first
of them, and what it costs is no cost of the others. The first answers are there soon; but a long pack of the
last study, begun in its order, would keep one core busy when all others have nothing left. It begins so early
that it ends with the rest.
"""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from minima.plan.workplan import Plan


class Turns(NamedTuple):
    """`Turns` are the seconds at which packs should begin, at which the packs of each study are expected to
    be trained, in the order of the studies, and at which other jobs should begin: those that prepare data,
    with the first pack that reads them, and those that fit references, when the first study that asks for
    them is trained."""

    packs: dict[str, float]
    studies: dict[str, float]
    data: dict[str, float]
    references: dict[str, float]


def turns(
    needed: Mapping[str, Collection[str]],
    seconds: Mapping[str, float],
    behind: Mapping[str, float],
    cores: int,
) -> tuple[dict[str, float], dict[str, float]]:
    """`turns` returns when packs should begin and when studies should be trained: `needed` maps a study to
    the packs that it needs, `seconds` a pack to its own time, `behind` a pack to the time until it and all
    that start from it are trained."""
    end = max([sum(seconds.values()) / cores, *behind.values()], default=0.0)  # no order is done before
    packs: dict[str, float] = {}
    studies: dict[str, float] = {}
    before = 0.0  # seconds of one core
    while len(studies) < len(needed):
        left = {study: set(needed[study]) - packs.keys() for study in needed if study not in studies}
        study = min(left, key=lambda study: sum(seconds[pack] for pack in left[study]))
        for pack in sorted(left[study], key=lambda pack: (-behind[pack], pack)):
            packs[pack] = min(before / cores, end - behind[pack])
            before += seconds[pack]
        studies[study] = before / cores
    return packs, studies


def seconds_behind(plan: "Plan") -> dict[str, float]:
    """`seconds_behind` returns pack → seconds until it and all that start from it are trained."""
    behind = {name: pack.cost.seconds for name, pack in plan.packs.items()}
    for name in sorted(plan.packs, key=lambda name: -plan.packs[name].cells[0].generation):
        for start in plan.starts_of(name):
            behind[start] = max(behind[start], plan.packs[start].cost.seconds + behind[name])
    return behind


def turns_of(plan: "Plan", cores: int) -> Turns:
    """`turns_of` returns when the packs of a plan should begin on so many cores."""
    seconds = {name: pack.cost.seconds for name, pack in plan.packs.items()}
    needed = {study: _needed(plan, study) for study in plan.studies}
    packs, studies = turns(needed, seconds, seconds_behind(plan), cores)
    data: dict[str, float] = {}
    for pack in sorted(packs, key=packs.__getitem__):
        for name in plan.data_of(pack):
            data.setdefault(name, packs[pack])
    references: dict[str, float] = {}
    for study, end in studies.items():
        for name in plan.references_of(study):
            references.setdefault(name, end)
    return Turns(packs, studies, data, references)


def _needed(plan: "Plan", study: str) -> set[str]:
    """`_needed` returns the packs of a study and those from whose networks theirs start."""
    needed: set[str] = set()
    waiting = set(plan.packs_of(study))
    while waiting:
        needed |= waiting
        waiting = {start for pack in waiting for start in plan.starts_of(pack)} - needed
    return needed
