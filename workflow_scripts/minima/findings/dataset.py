"""One study as one file: every cell of every block at its place, labelled.

    trained/<block>      what training found: predictions, errors, losses, status
    predicted/<block>    where theory says it should end, along the dimension `predictor`
    reference/<block>    kernel regressions on the same data, along the dimension `reference`
    nearest/<block>      which of these minimizers each network found, or none; its distance from every one

Dimensions are the block's axes and `seed`, then `step`, `level`, `point` (test), `train_point`, `output` and
`layer`. Where a cell has no value there is NaN, and a `status` that says why. Of blocks with more than 10,000
training points the dataset has the errors on them, and the packs the predictions.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from minima.data.files import load_split
from minima.findings.nearest import nearest_minimizer
from minima.findings.placing import LEFT_OUT, along, place, places
from minima.findings.records import record_use
from minima.jobs import pack_file
from minima.netcdf import tree_encoding, write_atomically
from minima.plan.digest import canonical
from minima.plan.files import data_file, reference_fit, training_rows
from minima.variables import PREDICTED

if TYPE_CHECKING:
    from minima.plan.grid import Cell, Grid
    from minima.plan.workplan import Plan

UNIT = {"units": "1"}
POINTS = {"train": "train_point", "test": "point"}  # dimension of each part of the data
KEPT_POINTS = 10_000  # ten damaged copies of CIFAR-10 are 40 MB of predictions for each of 225 networks


def write_study(
    plan: "Plan",
    study: str,
    packs: Sequence[Path],
    data_files: Sequence[Path],
    references: Sequence[Path],
    output: Path,
) -> None:
    """`write_study` writes the study's dataset, and the record that its config uses these cells."""
    blocks = plan.blocks_of(study)
    cells = [cell for grid in blocks.values() for cell in grid.cells]
    settings = plan.config.studies[study]
    by_name = {path.stem: path for path in [*data_files, *references]}
    data_of = {cell.digest: by_name[data_file(cell).name] for cell in cells}
    reference_of = {
        cell.digest: by_name[reference_fit(cell, kinds).name]
        for block, grid in blocks.items()
        if (kinds := settings.references_of(block))
        for cell in grid.cells
    }
    attributes = {
        "title": settings.title or study,
        "source": "Minima: networks trained by the workflow, limits predicted by theory",
        "references": settings.citation,
        "Conventions": "CF-1.11",
        "config_digest": plan.stamps.study(study),
    }
    with ExitStack() as files:
        parts = [part for path in packs for part in files.enter_context(pack_file.opened(path))]
        tree = aggregate(blocks, parts, data_of, attributes, settings.nearest_within, reference_of)
        keys = {
            cell: key for part in parts for cell, key in zip(part.cell.values, part.key.values, strict=True)
        }
    write_atomically(tree, output, encoding=tree_encoding(tree))
    record_use(plan, study, sorted(keys[cell] for cell in data_of))


def aggregate(
    blocks: "Mapping[str, Grid]",
    packs: Sequence[xr.Dataset],
    data_of: Mapping[str, Path],
    attributes: Mapping[str, Any],
    within: float,
    reference_of: Mapping[str, Path] | None = None,
) -> xr.DataTree:
    """The study's dataset from its packs.

    `data_of` and `reference_of` map a cell's digest to the file of its data and of its references; `within`
    is the tolerance of `nearest_minimizer`.
    """
    nodes: dict[str, xr.Dataset] = {"/": xr.Dataset(attrs=dict(attributes))}
    for name, grid in blocks.items():
        large = max(training_rows(cell["data"]) for cell in grid.cells) > KEPT_POINTS
        block = place(grid, packs, LEFT_OUT | {"train", "start_train"} if large else LEFT_OUT)
        block = block.assign_attrs(fixed=canonical(fixed_fields(grid))).assign_coords(_shared_splits(grid))
        targets = _targets(grid, data_of, ("test",) if large else ("train", "test"))
        predicted = _predicted(block)
        fitted = reference_of and all(cell.digest in reference_of for cell in grid.cells)
        references = _references(grid, reference_of) if fitted else None
        trained = _with_errors(_without(block, predicted), targets, grid)
        nodes[f"trained/{name}"] = trained.assign(_train_errors(grid, packs, data_of) if large else {})
        if predicted is not None:
            nodes[f"predicted/{name}"] = _with_errors(predicted, targets, grid)
        if references is not None:
            nodes[f"reference/{name}"] = _with_errors(references, targets, grid)
        nearest = nearest_minimizer(block, predicted, references, within, _shared_data(grid))
        if nearest is not None:
            nodes[f"nearest/{name}"] = nearest
    for node in nodes.values():
        _name_units(node)
    return xr.DataTree.from_dict(nodes)


def fixed_fields(grid: "Grid") -> dict[str, Any]:
    """`fixed_fields` returns the fields that all cells of a block share, without those on an axis."""
    first = deepcopy(grid.cells[0].values)
    for axis in grid.axes:
        *parents, last = axis.path.split(".")
        section = first
        for parent in parents:
            section = section.get(parent) if isinstance(section, dict) else None  # on an axis itself
        if isinstance(section, dict):
            section.pop(last, None)
    return first


def _shared_data(grid: "Grid") -> list[int] | None:
    """`_shared_data` returns a number per seed, equal for seeds with the same rows; None where every seed
    draws rows of its own."""
    seeds = [seed for axis in grid.axes if axis.path == "seed" for seed in axis.values]
    splits = {canonical(cell["data"]["split"]): cell["data"]["split"] for cell in grid.cells}.values()
    if all(isinstance(split, int) for split in splits):
        return [0] * len(seeds)
    if len(splits) == 1 and isinstance(split := next(iter(splits)), dict):
        return [seed // split["seeds_each"] for seed in seeds]
    return None


def _shared_splits(grid: "Grid") -> dict[str, Any]:
    """`_shared_splits` returns the coordinate `split`, equal for seeds that share their rows; nothing where
    every seed draws rows of its own."""
    numbers = _shared_data(grid)
    if numbers is None or any(isinstance(cell["data"]["split"], int) for cell in grid.cells):
        return {}
    return {"split": ("seed", numbers, {"long_name": "number of the data split, shared by several seeds"})}


def _name_units(node: xr.Dataset) -> None:
    """`_name_units` gives units to variables that name none: words have none, numbers are pure numbers."""
    for variable in node.variables.values():
        variable.attrs.setdefault("units", "" if variable.dtype.kind in "UO" else "1")


def _targets(grid: "Grid", data_of: Mapping[str, Path], parts: Sequence[str]) -> xr.Dataset:
    """`_targets` returns the targets of these parts of the data along the axes on which the data depend."""

    def load(cell: "Cell") -> xr.Dataset:
        split = load_split(data_of[cell.digest], cell.split, [f"y_{part}" for part in parts])
        return split.rename_dims({part: POINTS[part] for part in parts}).drop_vars("split")

    targets = along(grid, ("data",), load).rename({f"y_{part}": f"target_{part}" for part in parts})
    for part in parts:
        name = {"train": "training", "test": "test"}[part]
        targets[f"target_{part}"].attrs = {"long_name": f"targets of the {name} points"} | UNIT
    return targets


def _references(grid: "Grid", reference_of: Mapping[str, Path]) -> xr.Dataset:
    """`_references` returns the references along the axes on which the references depend."""

    def load(cell: "Cell") -> xr.Dataset:
        with xr.open_dataset(reference_of[cell.digest], engine="netcdf4") as fitted:
            return fitted.sel(split=cell.split, drop=True).load()

    return along(grid, ("data", "network.depth", "network.activation"), load)


def _predicted(block: xr.Dataset) -> xr.Dataset | None:
    """`_predicted` returns the variables `<predictor>_<quantity>` as `<quantity>` along `predictor`."""
    names = [name.removesuffix("_across") for name in block if name.endswith("_across")]
    if not names:
        return None
    predictor = xr.DataArray(
        names, dims="predictor", attrs={"long_name": "theory that predicts the minimizer"}
    )
    found = {}
    for quantity, variable in PREDICTED.items():
        if not all(f"{name}_{quantity}" in block for name in names):
            continue  # cells of older code, reused
        each = [block[f"{name}_{quantity}"] for name in names]
        found[quantity] = xr.concat(each, dim="predictor").assign_coords(predictor=predictor)
        found[quantity].attrs = {"long_name": variable.long_name, "units": variable.units}
    return xr.Dataset(found)


def _without(block: xr.Dataset, predicted: xr.Dataset | None) -> xr.Dataset:
    if predicted is None:
        return block
    names = predicted.predictor.values
    own = [f"{name}_{quantity}" for name in names for quantity in PREDICTED]
    return block.drop_vars(own, errors="ignore")


def _with_errors(node: xr.Dataset, targets: xr.Dataset, grid: "Grid") -> xr.Dataset:
    """`_with_errors` adds the targets and the errors of all predictions at the end."""
    node = node.assign(targets if "train" in node else targets[["target_test"]])
    for part in POINTS:
        if part in node:
            node = node.assign(_errors(node[part], node[f"target_{part}"], part, grid))
    return node


def _errors(f: xr.DataArray, y: xr.DataArray, part: str, grid: "Grid") -> dict[str, xr.DataArray]:
    """`_errors` returns mean squared errors and, where the targets are classes, the fraction of points that
    is put in the wrong class."""
    point = POINTS[part]
    found = {f"{part}_mse": ((f - y) ** 2).mean((point, "output"))}  # NaN where no point has a value
    found[f"{part}_mse"].attrs = {"long_name": f"mean squared error on the {part} points"} | UNIT
    if all(cell["data"]["labels"] != "value" for cell in grid.cells):
        wrong = _class(f) != _class(y)
        found[f"{part}_error"] = wrong.where((f - y).notnull().any("output")).mean(point)
        long_name = f"fraction of {part} points put in the wrong class"
        found[f"{part}_error"].attrs = {"long_name": long_name} | UNIT
    return found


def _train_errors(
    grid: "Grid", packs: Sequence[xr.Dataset], data_of: Mapping[str, Path]
) -> dict[str, xr.DataArray]:
    """`_train_errors` returns the errors on the training points, computed a network at a time."""
    targets = lru_cache(maxsize=1)(load_split)
    at_ends: dict[int, dict[str, xr.DataArray]] = {}
    for pack in packs:
        for row, position in zip(*places(grid, pack), strict=True):
            cell = grid.cells[position]
            y = targets(data_of[cell.digest], cell.split, ("y_train",)).y_train.rename(train="train_point")
            at_ends[position] = _errors(pack["train"].isel(cell=row).load(), y, "train", grid)
    found = {}
    for name, like in next(iter(at_ends.values()), {}).items():
        values = np.full(len(grid.cells), np.nan)
        for position, errors in at_ends.items():
            values[position] = errors[name]
        dims = [axis.dimension for axis in grid.axes]
        found[name] = xr.DataArray(values.reshape(grid.shape), dims=dims, attrs=like.attrs)
    return found


def _class(f: xr.DataArray) -> xr.DataArray:
    """The sign of one output, the largest of several; some cells of a block may have fewer than others."""
    several = f.notnull().sum("output") > 1
    return xr.where(several, f.fillna(-np.inf).argmax("output"), f.isel(output=0) > 0)
