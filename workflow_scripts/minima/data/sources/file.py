"""The user's own tables: .npz, .csv and .nc. Nothing is unpickled."""

import csv
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from minima.data.fetch import fetch
from minima.data.pool import DataError, Pool

if TYPE_CHECKING:
    from minima.plan.recipes import File


def load(recipe: "File", data_dir: Path) -> Pool:
    """`load` returns the pool of the user's file, whose `y` are classes where the recipe speaks of
    classes."""
    path = Path(recipe.path)
    sha256 = fetch(path, recipe.source, recipe.sha256)
    try:
        arrays = READERS[path.suffix](path, recipe)
    except DataError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    classes = recipe.labels != "value" or recipe.classes is not None
    x, y, shape = _rows(path, arrays, "x", "y", classes)
    test_x = test_y = None
    if "x_test" in arrays:
        test_x, test_y, test_shape = _rows(path, arrays, "x_test", "y_test", classes)
        if test_shape != shape or test_y.shape[1:] != y.shape[1:]:
            raise DataError(f"{path}: training and test rows differ in shape.")
    return Pool(x, y, test_x, test_y, shape, {recipe.path: sha256})


def _read_npz(path: Path, recipe: "File") -> dict[str, np.ndarray]:
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path} is not an .npz file (np.savez writes one), or is truncated.")
    with np.load(path, allow_pickle=False) as file:
        return _named(path, recipe, dict.fromkeys(file.files), lambda name: file[name])


def _read_nc(path: Path, recipe: "File") -> dict[str, np.ndarray]:
    import xarray as xr  # of the kinds of files this one alone needs it

    with xr.open_dataset(path, engine="netcdf4") as file:
        return _named(path, recipe, file.variables, lambda name: file[name].values)


def _named(
    path: Path, recipe: "File", held: Mapping[str, object], read: Callable[[str], np.ndarray]
) -> dict[str, np.ndarray]:
    """x and y, and x_test and y_test where the recipe names them or the file has them under these names."""
    names = {"x": recipe.x, "y": recipe.y}
    if recipe.x_test or recipe.y_test or "x_test" in held or "y_test" in held:
        names |= {"x_test": recipe.x_test or "x_test", "y_test": recipe.y_test or "y_test"}
    if missing := [name for name in names.values() if name not in held]:
        raise DataError(f"{path} has no {' and no '.join(missing)}: it holds {', '.join(map(str, held))}.")
    return {role: np.asarray(read(name)) for role, name in names.items()}


def _read_csv(path: Path, recipe: "File") -> dict[str, np.ndarray]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = [name.strip() for name in next(csv.reader(file), [])]
        if not header or (all(map(_is_number, header)) and header != [str(i) for i in range(len(header))]):
            raise DataError(f"{path}: the first line must name the columns.")
        if len(header) < 2 or len(set(header)) < len(header):
            raise DataError(f"{path} needs at least two columns with different names.")
        table = np.loadtxt(file, delimiter=",", quotechar='"', comments=None, ndmin=2)
    if table.shape[1:] != (len(header),) and table.size:
        raise DataError(f"{path} names {len(header)} columns and its rows have {table.shape[1]}.")
    target = header[-1] if recipe.target is None else recipe.target
    if target not in header:
        raise DataError(f"{path} has no column {target}: it holds {', '.join(header)}.")
    column = header.index(target)
    return {"x": np.delete(table, column, axis=1), "y": table[:, column]} if table.size else {}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _rows(
    path: Path, arrays: Mapping[str, np.ndarray], x_name: str, y_name: str, classes: bool
) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
    """Checked rows: x [rows, features], y [rows] of classes or [rows, outputs] of numbers, a row's shape."""
    x, y = arrays.get(x_name, np.empty(0)), arrays.get(y_name, np.empty(0))
    for name, array in ((x_name, x), (y_name, y)):
        if array.size == 0 or array.ndim == 0:
            raise DataError(f"{path}: {name} has no rows.")
        if array.dtype.kind not in "buif":
            raise DataError(f"{path}: {name} must hold real numbers, not {array.dtype}.")
        if not np.isfinite(array).all():
            raise DataError(f"{path}: {name} has missing or infinite values. Fill or drop these rows.")
    if len(x) != len(y):
        raise DataError(f"{path}: {x_name} has {len(x)} rows and {y_name} has {len(y)}.")
    shape = (1, *x.shape[1:]) if x.ndim in (1, 3) else x.shape[1:]  # one feature; images of one channel
    if not classes:
        return x.reshape(len(x), -1), y.reshape(len(y), -1).astype(np.float64), shape
    if y.size != len(y) or not np.array_equal(y, np.round(y)):
        raise DataError(
            f"{path}: {y_name} must hold one whole number per row, its class, or use labels: value."
        )
    return x.reshape(len(x), -1), y.ravel().astype(np.int64), shape


READERS = {".npz": _read_npz, ".csv": _read_csv, ".nc": _read_nc}
