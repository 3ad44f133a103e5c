"""One study as one file: every cell of every block at its place, labelled.

    trained/<block>      what training found: predictions, errors, losses, status
    predicted/<block>    where theory says it should end, along the dimension `predictor`

Dimensions are the block's axes and `seed`, then `step`, `level`, `point` (test), `train_point`, `output` and
`layer`. Where a cell has no value there is NaN, and a `status` that says why.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from minima.data.files import load_split
from minima.findings.records import record_use
from minima.netcdf import write_atomically
from minima.plan.grid import Grid
from minima.plan.workplan import Plan, data_file
from minima.store import string_encoding
from minima.variables import COORDINATES, PREDICTORS

# The networks themselves stay in the packs; labels of the store say nothing to a reader of the study.
LEFT_OUT = {"parameters", "key", "fields", "data"}
UNIT = {"units": "1"}


def write_study(
    plan: Plan, study: str, packs: Sequence[Path], data_files: Sequence[Path], output: Path
) -> None:
    """Writes the study's dataset, and the record that its config uses these cells."""
    blocks = plan.blocks_of(study)
    by_name = {path.stem: path for path in data_files}
    data_of = {cell.digest: by_name[data_file(cell).name] for grid in blocks.values() for cell in grid.cells}
    settings = plan.config.studies[study]
    attributes = {
        "title": settings.title or study,
        "source": "Minima: networks trained by the workflow, limits predicted by theory",
        "references": settings.citation,
        "Conventions": "CF-1.11",
        "config_digest": plan.study_stamp(study),
    }
    opened = [xr.load_dataset(path, engine="netcdf4") for path in packs]
    tree = aggregate(blocks, opened, data_of, attributes)
    write_atomically(tree, output, encoding=tree_encoding(tree))
    keys = {cell: key for pack in opened for cell, key in zip(pack.cell.values, pack.key.values, strict=True)}
    record_use(plan, study, sorted(keys[cell] for cell in data_of))


def aggregate(
    blocks: Mapping[str, Grid],
    packs: Sequence[xr.Dataset],
    data_of: Mapping[str, Path],
    attributes: Mapping[str, Any],
) -> xr.DataTree:
    """The study's dataset from its packs; `data_of` maps a cell's digest to the file of its data."""
    nodes: dict[str, xr.Dataset] = {"/": xr.Dataset(attrs=dict(attributes))}
    for name, grid in blocks.items():
        block = _place(grid, packs)
        targets = _targets(grid, data_of)
        predicted = _predicted(block)
        nodes[f"trained/{name}"] = _with_errors(_without(block, predicted), targets, grid)
        if predicted is not None:
            nodes[f"predicted/{name}"] = _with_errors(predicted, targets, grid)
    return xr.DataTree.from_dict(nodes)


def tree_encoding(tree: xr.DataTree) -> dict[str, dict[str, dict[str, str]]]:
    """Strings as fixed-width characters in every node."""
    return {node.path: string_encoding(node.to_dataset(inherit=False)) for node in tree.subtree}


def _place(grid: Grid, packs: Sequence[xr.Dataset]) -> xr.Dataset:
    """Every variable of the block's cells, in the shape of its grid."""
    place = {cell.digest: position for position, cell in enumerate(grid.cells)}
    mine = []
    for pack in packs:
        rows = [row for row, cell in enumerate(pack["cell"].values.tolist()) if cell in place]
        if rows:
            mine.append((pack.isel(cell=rows), [place[cell] for cell in pack["cell"].values[rows].tolist()]))
    coordinates = {
        name: np.unique(np.concatenate([pack[name].values for pack, _ in mine])) for name in COORDINATES
    }
    found: dict[str, Any] = {}
    for name in dict.fromkeys(str(name) for pack, _ in mine for name in pack.data_vars):
        if name in LEFT_OUT:
            continue
        parts = [(pack[name], positions) for pack, positions in mine if name in pack]
        dims = parts[0][0].dims[1:]
        sizes = [
            len(coordinates[dim]) if dim in coordinates else max(part.sizes[dim] for part, _ in parts)
            for dim in dims
        ]
        values = _empty(parts[0][0], (len(grid.cells), *sizes))
        for part, positions in parts:
            where = [
                np.searchsorted(coordinates[dim], part[dim].values)
                if dim in coordinates
                else np.arange(part.sizes[dim])
                for dim in dims
            ]
            values[np.ix_(positions, *where)] = part.values
        attributes = parts[0][0].attrs
        found[name] = ((*_dims(grid), *dims), values.reshape(*grid.shape, *sizes), attributes)
    axes = {
        axis.dimension: (axis.dimension, np.array(axis.labels), {"long_name": axis.path})
        for axis in grid.axes
    }
    shared = {
        name: (name, values, {"long_name": COORDINATES[name].long_name, "units": COORDINATES[name].units})
        for name, values in coordinates.items()
    }
    return xr.Dataset(found, coords=axes | shared)


def _empty(like: xr.DataArray, shape: tuple[int, ...]) -> np.ndarray:
    """Nothing found: NaN for numbers, `missing` for words."""
    if like.dtype.kind in "UO":
        return np.full(shape, "missing", dtype="U16")
    return np.full(shape, np.nan, dtype=np.float64)


def _targets(grid: Grid, data_of: Mapping[str, Path]) -> xr.Dataset:
    """The targets along those axes on which the data depend."""
    kept = [
        i for i, axis in enumerate(grid.axes) if axis.path.split(".")[0] == "data" or axis.dimension == "seed"
    ]
    cells = np.array(grid.cells, dtype=object).reshape(grid.shape)
    cells = cells[tuple(slice(None) if i in kept else 0 for i in range(len(grid.axes)))]
    loaded = [load_split(data_of[cell.digest], cell.split) for cell in cells.ravel()]
    dims = [grid.axes[i].dimension for i in kept]
    found = {}
    for name, rows, text in (
        ("y_train", "train_point", "targets of the training points"),
        ("y_test", "point", "targets of the test points"),
    ):
        most = max(len(split[name]) for split in loaded)
        values = np.full((len(loaded), most, loaded[0].sizes["output"]), np.nan)
        for position, split in enumerate(loaded):
            values[position, : len(split[name])] = split[name].values
        shape = (*cells.shape, *values.shape[1:])
        found[f"target_{name[2:]}"] = (
            (*dims, rows, "output"),
            values.reshape(shape),
            {"long_name": text} | UNIT,
        )
    return xr.Dataset(found)


def _predicted(block: xr.Dataset) -> xr.Dataset | None:
    """The predictors' `<predictor>_test` side by side, as `test` along `predictor`."""
    names = [name for name in PREDICTORS if f"{name}_test" in block]
    if not names:
        return None
    predictor = xr.DataArray(
        names, dims="predictor", attrs={"long_name": "theory that predicts the minimizer"}
    )
    test = xr.concat([block[f"{name}_test"] for name in names], dim="predictor").assign_coords(
        predictor=predictor
    )
    test.attrs = {"long_name": "predicted function on the test points"} | UNIT
    return test.to_dataset(name="test")


def _without(block: xr.Dataset, predicted: xr.Dataset | None) -> xr.Dataset:
    return (
        block
        if predicted is None
        else block.drop_vars([f"{name}_test" for name in PREDICTORS], errors="ignore")
    )


def _with_errors(node: xr.Dataset, targets: xr.Dataset, grid: Grid) -> xr.Dataset:
    """Adds mean squared errors and, where the targets are classes, the fraction put in the wrong one."""
    coding = grid.cells[0]["data"]["labels"]
    node = node.assign(targets if "train" in node else targets[["target_test"]])
    for part, point in (("train", "train_point"), ("test", "point")):
        if part not in node:
            continue
        f, y = node[part], node[f"target_{part}"]
        node[f"{part}_mse"] = ((f - y) ** 2).mean((point, "output"))  # NaN where no point has a value
        node[f"{part}_mse"].attrs = {"long_name": f"mean squared error on the {part} points"} | UNIT
        if coding != "value":
            wrong = _class(f, coding) != _class(y, coding)
            node[f"{part}_error"] = wrong.where((f - y).notnull().all("output")).mean(point)
            node[f"{part}_error"].attrs = {
                "long_name": f"fraction of {part} points put in the wrong class"
            } | UNIT
    return node


def _class(f: xr.DataArray, coding: str) -> xr.DataArray:
    return f.isel(output=0) > 0 if coding == "sign" else f.fillna(-np.inf).argmax("output")


def _dims(grid: Grid) -> tuple[str, ...]:
    return tuple(axis.dimension for axis in grid.axes)
