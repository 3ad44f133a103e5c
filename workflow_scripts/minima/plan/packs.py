"""Packs: the cells that one job trains together, with a membership that hardly moves.

Cells of a group (same data recipe, architecture, optimizer …) are split by the bits of their own digests
until each pack fits the wanted time and memory: a new cell enters one pack and leaves the others untouched.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from minima.plan.cost import Cost, cell_cost
from minima.plan.digest import digest
from minima.plan.grid import Cell


@dataclass(frozen=True)
class Pack:
    """Cells in the order of their digests, under a name that does not depend on the other packs."""

    name: str
    cells: tuple[Cell, ...]

    @cached_property
    def digest(self) -> str:
        return digest(",".join(cell.digest for cell in self.cells))

    @cached_property
    def cost(self) -> Cost:
        return sum((cell_cost(cell) for cell in self.cells), Cost())

    @property
    def group(self) -> str:
        return self.cells[0].group


def make_packs(cells: Iterable[Cell], seconds: float, memory_mb: float) -> dict[str, Pack]:
    """Name → pack. `seconds` and `memory_mb` bound a pack of more than one cell."""
    groups: dict[str, dict[str, Cell]] = {}
    for cell in cells:  # the same cell may stand in several blocks: it is trained once
        groups.setdefault(cell.group, {})[cell.digest] = cell
    packs = [
        Pack(f"{_hint(members[0])}_{group[:8]}{path and '_' + path}", tuple(members))
        for group, by_digest in groups.items()
        for path, members in _split(
            sorted(by_digest.values(), key=lambda c: c.digest), "", seconds, memory_mb
        )
    ]
    return {pack.name: pack for pack in packs}


def _split(
    cells: list[Cell], path: str, seconds: float, memory_mb: float
) -> Iterable[tuple[str, list[Cell]]]:
    cost = sum(map(cell_cost, cells), Cost())
    if len(cells) <= 1 or (cost.seconds <= seconds and cost.memory_mb <= memory_mb):
        return [(path, cells)] if cells else []
    halves: tuple[list[Cell], list[Cell]] = ([], [])
    for cell in cells:
        halves[_bit(cell.digest, len(path))].append(cell)
    return [
        pack for bit, half in enumerate(halves) for pack in _split(half, f"{path}{bit}", seconds, memory_mb)
    ]


def _bit(hex_digest: str, position: int) -> int:
    return int(hex_digest[position // 4], 16) >> (3 - position % 4) & 1


def _hint(cell: Cell) -> str:
    """What a person wants to read in a file or job name."""
    network = cell["network"]
    shape = f"{network['depth']}x{network['width']}" if network["kind"] == "mlp" else ""
    return f"{cell['data']['source']}_{network['kind']}{shape}_{cell['optimizer']['name']}"
