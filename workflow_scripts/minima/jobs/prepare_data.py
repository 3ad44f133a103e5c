"""The job that prepares data: rows that the networks of the config cannot take are refused by name."""

from collections.abc import Iterable
from pathlib import Path

from minima.data.files import save
from minima.data.pool import DataError
from minima.data.splits import splits_of
from minima.plan.combinations import misfits
from minima.plan.files import data_file
from minima.plan.grid import Cell
from minima.plan.workplan import Plan


def prepare_data(plan: Plan, name: str, output: Path) -> None:
    """`prepare_data` writes the data file of this name."""
    file = plan.data_files[name]
    content = splits_of(file.recipe, file.splits, Path(plan.config.data_dir))
    cells = (cell for cell in plan.cells.values() if data_file(cell).name == name)
    refuse_misfits(cells, content.variables["x_train"].attributes["row_shape"].tolist())
    save(content, output)


def refuse_misfits(cells: Iterable[Cell], row_shape: Iterable[int]) -> None:
    """`refuse_misfits` raises `DataError` where a cell cannot take rows of this shape, which only the user's
    own file tells."""
    shape = tuple(row_shape)
    found = [(cell, reason) for cell in cells for reason in misfits(shape, cell.values)]
    if found:
        where = found[0][0].recipe.where()
        raise DataError(f"{where}: {'; '.join(dict.fromkeys(reason for _, reason in found))}")
