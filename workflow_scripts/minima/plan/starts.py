"""Cells that start where cells of another block ended.

A cell holds the digest of the cell that it starts from, which says everything that the start depends on. The
name of the other block, and its further cells, are no part of the cell.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from math import prod
from typing import Any

from minima.forms import degree
from minima.plan.axes import Axis
from minima.plan.digest import canonical
from minima.plan.grid import SECTIONS, Cell, Grid
from minima.plan.inits import is_whole
from minima.plan.mistakes import ConfigError, Mistake, unknown
from minima.plan.sections import Section

INIT = SECTIONS.index("init")


def with_starts(
    grids: Mapping[str, Grid], path: str, blocks: Collection[str]
) -> tuple[dict[str, Grid], list[Mistake]]:
    """The blocks of one study with every start found, and what is wrong; `path` is that of the blocks, and
    `blocks` names them all, also those that have a mistake of their own and no grid."""
    found: dict[str, Grid] = {}
    mistakes: list[Mistake] = []

    def resolve(name: str, users: tuple[str, ...]) -> None:
        if name in found:
            return
        cells = []
        for cell in grids[name].cells:
            try:
                cells.append(_with_start(cell, name, (*users, name)))
            except ConfigError as error:
                mistakes.extend(error.mistakes)
                cells.append(cell)
        found[name] = replace(grids[name], cells=tuple(cells))

    def _with_start(cell: Cell, name: str, users: tuple[str, ...]) -> Cell:
        if "from" not in cell["init"]:
            return cell
        init = cell["init"]
        where = f"{path}.{name}.init"
        if init["from"] not in grids:
            if init["from"] in blocks:
                return cell
            raise ConfigError(
                [Mistake(f"{where}.from", unknown(init["from"], blocks, "no block of the study"))]
            )
        if init["from"] in users:
            raise ConfigError([Mistake(f"{where}.from", f"'{init['from']}' starts from this block itself")])
        resolve(init["from"], users)
        start = _chosen(found[init["from"]], cell, where)
        if problems := _misfits(cell, start):
            raise ConfigError([Mistake(where, f"block {init['from']}: {problem}") for problem in problems])
        return _started(cell, start)

    for name in grids:
        resolve(name, ())
    return found, mistakes


def _chosen(grid: Grid, cell: Cell, where: str) -> Cell:
    """The cell of the block that `select` and the seed name; of several networks or data the one that
    the cell itself has."""
    init, select = cell["init"], dict(cell["init"]["select"])
    index = 0
    for axis in grid.axes:
        if axis.path == "seed":
            label = cell["seed"]
        elif axis.dimension in select:
            label = select.pop(axis.dimension)
        elif len(axis.labels) == 1:
            label = axis.labels[0]
        elif (own := _own_label(cell, grid, axis)) is not None:
            label = own
        else:
            choices = ", ".join(map(str, axis.labels))
            reason = f"say which {axis.dimension} of block {init['from']}: {choices}"
            raise ConfigError([Mistake(f"{where}.select", reason)])
        if label not in axis.labels:
            what = f"no {axis.dimension} of block {init['from']}"
            at = where if axis.path == "seed" else f"{where}.select.{axis.dimension}"
            raise ConfigError([Mistake(at, unknown(label, axis.labels, what))])
        index = index * len(axis.labels) + axis.labels.index(label)
    if select:
        axes = [axis.dimension for axis in grid.axes if axis.path != "seed"]
        what = f"no axis of block {init['from']}"
        raise ConfigError([Mistake(f"{where}.select", unknown(next(iter(select)), axes, what))])
    return grid.cells[index]


def _own_label(cell: Cell, grid: Grid, axis: Axis) -> Any:
    """The label at which the block's cells have what the cell itself has there; None where they have not, or
    where the axis is no property of network or data."""
    if axis.path.split(".")[0] not in ("network", "data"):
        return None
    stride = prod(grid.shape[grid.axes.index(axis) + 1 :])
    own = _value(cell, axis.path)
    labels = [
        label
        for number, label in enumerate(axis.labels)
        if _value(grid.cells[number * stride], axis.path) == own
    ]
    return labels[0] if len(labels) == 1 else None


def _value(cell: Cell, path: str) -> Any:
    """`_value` returns a cell's value at a dotted path; None where the cell has no such field."""
    section, *fields = path.split(".")
    value = cell[section]
    for field in fields:
        value = value.get(field) if isinstance(value, Mapping) else None
    return value


def _misfits(cell: Cell, start: Cell) -> list[str]:
    """`_misfits` yields the reasons why a cell cannot start from another."""
    problems = []
    if not start["keep_parameters"]:
        problems.append("needs keep_parameters: true, so that others can start from it")
    if cell["network"] != start["network"]:
        problems.append("has another network")
    powers = {degree(each["optimizer"]["name"]) for each in (cell, start)}
    if cell["network"].get("parametrization") == "mup" and len(powers) > 1:
        problems.append("was trained by an optimizer under which mup scales the same tensors otherwise")
    if not is_whole(start["init"]["scheme"]):
        problems.append(f"is {start['init']['scheme']}: not a network of its own")
    shapes = [(each.recipe.input_shape(), each.recipe.output_count()) for each in (cell, start)]
    if shapes[0] != shapes[1]:
        problems.append("has rows of another shape, or another number of outputs")
    return problems


def _started(cell: Cell, start: Cell) -> Cell:
    """`_started` returns the cell with its start. Cells that differ only in their starts share a pack, which
    is never the pack of a start."""
    own = {field: value for field, value in cell["init"].items() if field not in ("from", "select")}
    values = own | {"start": start.digest}
    behind = {"after": start.generation} if start.generation else {}
    section = Section(cell.sections[INIT].model, values, canonical(values), canonical(own | behind))
    sections = (*cell.sections[:INIT], section, *cell.sections[INIT + 1 :])
    return Cell(sections, start)
