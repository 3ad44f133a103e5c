"""The files that jobs exchange: which splits a data file holds, which references a file of references."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from minima.plan.digest import canonical, digest

if TYPE_CHECKING:
    from minima.plan.grid import Cell
    from minima.plan.recipes import Recipe

# A data file holds a whole decade of splits, used or not: one more seed rewrites no file.
SPLITS_PER_FILE = 10


@dataclass(frozen=True)
class DataFile:
    """One file of prepared splits."""

    name: str
    splits: tuple[int, ...]
    recipe: "Recipe"


@dataclass(frozen=True)
class ReferenceFit:
    """The references of one data file and architecture."""

    name: str
    data: str
    depth: int
    activation: str
    kinds: Mapping[str, Mapping[str, Any]]


def data_file(cell: "Cell") -> DataFile:
    """The file that holds a cell's split."""
    return DataFile(*_name_and_splits(cell.written("data"), cell.split), cell.recipe)


@cache
def _name_and_splits(section: str, split: int) -> tuple[str, tuple[int, ...]]:
    """`_name_and_splits` computes both once for all cells of the same data."""
    recipe = json.loads(section)
    named = recipe.pop("split")
    name = f"{recipe['source']}_{digest(canonical(recipe), 8)}"
    if isinstance(named, int):
        return f"{name}_{split}", (split,)
    decade, _ = divmod(split, SPLITS_PER_FILE)
    first = decade * SPLITS_PER_FILE
    last = first + SPLITS_PER_FILE - 1
    return f"{name}_{first}to{last}", tuple(range(first, last + 1))


def reference_fit(cell: "Cell", kinds: Mapping[str, Mapping[str, Any]]) -> ReferenceFit:
    """The fit that holds a cell's references."""
    network, data = cell["network"], data_file(cell).name
    # The kernels of wide networks alone look at these, and they go with mlp alone.
    depth, activation = network.get("depth", 0), network.get("activation", "none")
    name = f"{data}_{activation}{depth}_{digest(canonical(kinds), 6)}"
    return ReferenceFit(name, data, depth, activation, kinds)


def training_rows(data: Mapping[str, Any]) -> int:
    """`training_rows` returns how many rows a network trains on."""
    return data["train_size"] * (data["confusion"] or {"copies": 1})["copies"]
