"""The grid: a block expands into cells, every field explicit, in the order of its axes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod
from typing import Any

from pydantic import BaseModel, ValidationError

from minima.plan import parts
from minima.plan.axes import Axis, read_axes
from minima.plan.combinations import impossible
from minima.plan.config import Block, Training
from minima.plan.digest import digest
from minima.plan.layers import mapping
from minima.plan.mistakes import ConfigError, Mistake, explain
from minima.plan.recipes import Recipe
from minima.plan.sections import SECTION_TYPES, Section, section_of, set_by_user

SECTIONS = tuple(sorted([*SECTION_TYPES, "seed"]))
SEED = SECTIONS.index("seed")
NOTHING = "{}"  # of a section that came later and holds its defaults: cells of before are the same


@dataclass(frozen=True)
class Cell:
    """One fully specified training run."""

    sections: tuple[Section, ...]  # in the order of SECTIONS
    start: "Cell | None" = None  # the cell whose end it starts from

    @cached_property
    def json(self) -> str:
        """The canonical JSON of all fields."""
        pairs = zip(SECTIONS, self.sections, strict=True)
        return "{" + ",".join([f'"{name}":{one.json}' for name, one in pairs if one.json != NOTHING]) + "}"

    @cached_property
    def digest(self) -> str:
        return digest(self.json)

    @cached_property
    def group(self) -> str:
        """Digest of the fields that a pack shares."""
        return digest(",".join([section.shared for section in self.sections if section.json != NOTHING]))

    @property
    def of_any_seed(self) -> tuple[str, ...]:
        """`of_any_seed` returns the JSON of all fields but the seed: the same for cells that differ in
        nothing else."""
        return tuple([section.json for section in self.sections[:SEED] + self.sections[SEED + 1 :]])

    @property
    def generation(self) -> int:
        """`generation` returns how many cells must be trained before this one: 0 for a cell that starts
        afresh."""
        return 0 if self.start is None else 1 + self.start.generation

    def written(self, section: str) -> str:
        """`written` returns a section as JSON."""
        return self.sections[SECTIONS.index(section)].json

    def shared(self, section: str) -> str:
        """`shared` returns the JSON of a section's fields that a pack shares."""
        return self.sections[SECTIONS.index(section)].shared

    @property
    def values(self) -> dict[str, Any]:
        return {name: section.values for name, section in zip(SECTIONS, self.sections, strict=True)}

    def __getitem__(self, section: str) -> Any:
        return self.sections[SECTIONS.index(section)].values

    def part(self, section: str) -> Any:
        """`part` returns a section as its validated options."""
        return self.sections[SECTIONS.index(section)].model

    @property
    def recipe(self) -> Recipe:
        return self.sections[SECTIONS.index("data")].model

    @property
    def split(self) -> int:
        """Which draw of the data the cell sees."""
        split = self["data"]["split"]
        if isinstance(split, dict):
            return self["seed"] // split["seeds_each"]
        return self["seed"] if split == "seed" else split


@dataclass(frozen=True)
class Grid:
    """A block, expanded: cells in C order of the axes, seed last."""

    axes: tuple[Axis, ...]
    cells: tuple[Cell, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(len(axis.labels) for axis in self.axes)


def by_group(cells: Iterable[Cell]) -> dict[str, list[Cell]]:
    """`by_group` returns group → its cells, groups and cells in the order in which they come."""
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(cell.group, []).append(cell)
    return groups


def expand(block: Block, recipes: Mapping[str, BaseModel], path: str = "block") -> Grid:
    """All cells of `block`. Raises `ConfigError` with every mistake in its axes."""
    base = {name: getattr(block, name) for name in Training.model_fields if name in block.model_fields_set}
    base = _with_defaults(block, {name: set_by_user(value) for name, value in base.items()})
    base["data"] = set_by_user(recipes[block.data])
    axes = read_axes(block, base, recipes, path)
    per_section: dict[str, list[Section]] = {}
    mistakes: list[Mistake] = []
    for name in SECTION_TYPES:
        mine = [axis for axis in axes if axis.path.split(".")[0] == name]
        try:
            per_section[name] = [
                section_of(name, base, dict(zip([axis.path for axis in mine], values, strict=True)))
                for values in product(*(axis.values for axis in mine))
            ]
        except ValidationError as error:  # each axis alone was fine: two of them do not go together
            together = " × ".join(axis.path for axis in mine) or name
            mistakes += [
                Mistake(f"{path}.axes ({together})", m.reason)
                for m in explain(error, SECTION_TYPES[name], None)
            ]
            continue
        # Also behind two labels, or in two recipes: a cell has one place in the dataset.
        if len({section.json for section in per_section[name]}) < len(per_section[name]):
            together = " × ".join(axis.path for axis in mine)
            mistakes.append(Mistake(f"{path}.axes ({together})", f"the same {name} twice"))
    if not mistakes:
        mistakes += [Mistake(path, reason) for reason in impossible(per_section)]
    if mistakes:
        raise ConfigError(mistakes)
    seeds = [Section(seed, seed, str(seed), "") for seed in block.seed.values()]
    seed_axis = Axis("seed", "seed", tuple(block.seed.values()), tuple(block.seed.values()))
    return Grid((*axes, seed_axis), tuple(_product(axes, per_section, seeds)))


def _product(axes: Sequence[Axis], per_section: Mapping[str, list[Section]], seeds: list[Section]):
    """Cells in C order. A section's variant is a mixed-radix number of its own axes' positions, so that a
    cell costs a few list look-ups and no validation."""
    numbers = [range(len(axis.values)) for axis in axes]
    strides: list[list[tuple[int, int]]] = []
    for name in SECTIONS:
        mine = [i for i, axis in enumerate(axes) if axis.path.split(".")[0] == name]
        strides.append([(i, prod(len(numbers[j]) for j in mine if j > i)) for i in mine])
    variants = [per_section.get(name, []) for name in SECTIONS]
    for position in product(*numbers):
        chosen = [
            options[sum(position[i] * stride for i, stride in own)] if options else None
            for options, own in zip(variants, strides, strict=True)
        ]
        for seed in seeds:
            chosen[SEED] = seed
            yield Cell(tuple(chosen))


def _with_defaults(block: Block, base: dict[str, Any]) -> dict[str, Any]:
    """`_with_defaults` fills in what a block means where it says nothing, if all its kinds of network mean
    the same."""
    networks = mapping(block.axes.get("network")).values() or [base.get("network")]
    kinds = block.axes.get("network.kind") or [mapping(network).get("kind") for network in networks]
    if not isinstance(kinds, list) or any(kind not in parts.names("models") for kind in kinds):
        return base
    first, *others = (parts.declaration("models", kind).DEFAULTS for kind in kinds)
    if any(other != first for other in others):
        return base
    return base | {
        name: default | mapping(base.get(name)) if isinstance(default, dict) else base.get(name, default)
        for name, default in first.items()
    }
