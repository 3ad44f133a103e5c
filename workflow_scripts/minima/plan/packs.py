"""Packs: the cells that one job trains, with a membership that hardly moves.

The cells of a group (same data recipe, architecture, optimizer …) are trained together. A large group is
split by the bits of its cells' digests until each pack fits the wanted time and memory. Small groups of the
same studies, on data of one source, share packs, for a job's start alone takes seconds: they are split,
whole, by the bits of their own digests until each pack is small again. Either way a new cell enters one pack
and leaves the others untouched. No study waits for the small groups of another.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from pathlib import Path

from minima.plan.cost import Cost, at_most, cell_costs, cost_of
from minima.plan.digest import bits, canonical, digest
from minima.plan.grid import Cell, by_group

SMALL = 1 / 3  # of the wanted time: what takes less joins others, so that cores are busy to the end


@dataclass(frozen=True)
class Pack:
    """Cells, group after group, under a name that does not depend on the other packs."""

    name: str
    cells: tuple[Cell, ...]

    @cached_property
    def digest(self) -> str:
        return digest(",".join(cell.digest for cell in self.cells))

    @cached_property
    def cost(self) -> Cost:
        """`cost` is what the pack is expected to take, by the package's own records."""
        return cost_of(self.cells)

    @cached_property
    def at_most(self) -> Cost:
        return cost_of(self.cells, at_most)


def make_packs(
    cells: Iterable[Cell],
    seconds: float,
    memory_mb: float,
    studies: Mapping[str, Collection[str]] | None = None,
) -> dict[str, Pack]:
    """Name → pack. `seconds` and `memory_mb` bound a pack of more than one cell; `studies` maps a cell's
    digest to those that ask for it."""

    def fits(cost: Cost, share: float = 1.0) -> bool:
        return cost.seconds <= share * seconds and cost.memory_mb <= memory_mb

    by_digest = {cell.digest: cell for cell in cells}  # one may stand in several blocks: it is trained once
    groups = by_group(by_digest[name] for name in sorted(by_digest))
    each = dict(zip(by_digest, cell_costs(by_digest.values()), strict=True))
    costs = {group: sum((each[c.digest] for c in members), Cost()) for group, members in groups.items()}
    small = {group for group in groups if fits(costs[group], SMALL)}
    packs: list[Pack] = []
    for group in sorted(groups.keys() - small):
        members = [cell.digest for cell in groups[group]]
        for path, some in _split(members, lambda some: fits(sum((each[name] for name in some), Cost()))):
            packs.append(_pack(group, path, [by_digest[name] for name in some]))
    families: dict[str, list[str]] = {}
    asking = studies or {}
    for group in sorted(small):
        of = sorted({study for cell in groups[group] for study in asking.get(cell.digest, ())})
        families.setdefault(_family(groups[group][0], of), []).append(group)
    for family, members in families.items():
        for path, some in _split(
            members, lambda some: fits(reduce(Cost.then, (costs[group] for group in some)), SMALL)
        ):
            packs.append(_pack(family, path, [cell for group in some for cell in groups[group]]))
    return {pack.name: pack for pack in packs}


def _pack(of: str, path: str, cells: list[Cell]) -> Pack:
    """The name says what a person wants to read in that of a file or job, then which part of what it is."""
    network, several = cells[0].part("network"), len(by_group(cells)) > 1
    what = "small" if several else f"{network.kind}{network.label}_{cells[0]['optimizer']['name']}"
    which = f"{of[:8]}{path and '_' + path}"
    return Pack(f"{cells[0]['data']['source']}_{what}_{which}", tuple(cells))


def _family(cell: Cell, studies: list[str]) -> str:
    """Digest of what small groups have in common that share a pack: the studies that ask for them, the source
    of their data, with the user's own files, and how many cells stand behind one, so that no pack waits for
    itself."""
    own = [str(path) for path in cell.recipe.own_files(Path())]
    return digest(canonical([cell["data"]["source"], own, cell.generation, studies]))


def _split(
    digests: list[str], fits: Callable[[list[str]], bool], path: str = ""
) -> Iterator[tuple[str, list[str]]]:
    """Those that begin with the same bits, and these bits."""
    if len(digests) == 1 or fits(digests):
        yield path, digests
        return
    halves: tuple[list[str], list[str]] = ([], [])
    for name in digests:
        halves[int(bits(name)[len(path)])].append(name)
    for bit, half in enumerate(halves):
        if half:
            yield from _split(half, fits, f"{path}{bit}")
