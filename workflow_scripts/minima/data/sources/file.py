"""The user's own tables: .npz, .csv and .nc. Nothing is unpickled."""

from __future__ import annotations

import ast
import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from minima.data.fetch import fetch
from minima.data.pool import DataError, Pool
from minima.plan.recipes import LABELS, UNKNOWN, Labels, Recipe, Sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy import ndarray


class File(Recipe):
    """The user's own table: .npz, .csv or .nc."""

    targets = "either"

    labels: Labels = Field("value", description=LABELS)
    path: str = Field(pattern=r"\.(npz|csv|nc)$", description="The file, relative to the working directory.")
    sha256: Sha256 | None = Field(None, description="Checksum to insist on.")
    x: str = Field(
        "x",
        description="Name of the inputs in an .npz or .nc file: (rows, features), or images as (rows, "
        "channels, height, width) or, of one channel, (rows, height, width).",
    )
    y: str = Field("y", description="Name of the targets in an .npz or .nc file, rows first.")
    x_test: str | None = Field(
        None, description="Name of the test inputs in an .npz or .nc file; null: x_test where there is one."
    )
    y_test: str | None = Field(
        None, description="Name of the test targets in an .npz or .nc file; null: y_test where there is one."
    )
    target: str | None = Field(None, description="Target column of a .csv file; null: the last.")

    def own_files(self, data_dir: Path) -> list[Path]:
        return [Path(self.path)]

    def images(self) -> bool | None:
        return False if self.path.endswith(".csv") or len(self.expected_shape()) == 1 else None

    def expected_shape(self) -> tuple[int, ...]:
        """`expected_shape` returns the shape that the first bytes of the file tell, where it is there and its
        format has a short head."""
        import zipfile

        try:
            if self.path.endswith(".csv"):
                with Path(self.path).open(encoding="utf-8-sig", newline="") as table:
                    return (max(1, len(next(csv.reader(table))) - 1),)
            if self.path.endswith(".npz"):
                with zipfile.ZipFile(self.path) as archive, archive.open(f"{self.x}.npy") as array:
                    version = array.read(8)[6]
                    length = int.from_bytes(array.read(2 if version == 1 else 4), "little")
                    return tuple(ast.literal_eval(array.read(length).decode())["shape"][1:]) or (1,)
        except (OSError, LookupError, ValueError, SyntaxError, StopIteration, zipfile.BadZipFile):
            pass
        return UNKNOWN

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        names = (self.x, self.y, self.x_test, self.y_test)
        if self.path.endswith(".csv") and names != ("x", "y", None, None):
            yield "x, y, x_test and y_test name variables of .npz and .nc files: use target for .csv"
        if not self.path.endswith(".csv") and self.target is not None:
            yield "target names a column of a .csv file: use y for .npz and .nc"


def load(recipe: File, data_dir: Path) -> Pool:
    """`load` returns the pool of the user's file, whose `y` are classes where the recipe speaks of
    classes."""
    import zipfile

    path = Path(recipe.path)
    sha256 = fetch(path, recipe.source, recipe.sha256)
    try:
        arrays = READERS[path.suffix](path, recipe)
    except DataError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    classes = recipe.labels != "value" or recipe.classes is not None
    x, y = _rows(path, arrays, "x", "y", classes)
    test: tuple[Any, Any] = (None, None)
    if "x_test" in arrays:
        test = _rows(path, arrays, "x_test", "y_test", classes)
        if [rows.shape[1:] for rows in test] != [x.shape[1:], y.shape[1:]]:
            raise DataError(f"{path}: training and test rows differ in shape.")
    return Pool(x, y, *test, {recipe.path: sha256})


def _read_npz(path: Path, recipe: File) -> dict[str, ndarray]:
    import zipfile

    import numpy as np

    if not zipfile.is_zipfile(path):
        raise DataError(f"{path} is not an .npz file (np.savez writes one), or is truncated.")
    with np.load(path, allow_pickle=False) as file:
        return _named(path, recipe, dict.fromkeys(file.files), lambda name: file[name])


def _read_nc(path: Path, recipe: File) -> dict[str, ndarray]:
    import xarray as xr  # of the kinds of files this one alone needs it

    with xr.open_dataset(path, engine="netcdf4") as file:
        return _named(path, recipe, file.variables, lambda name: file[name].values)


def _named(
    path: Path, recipe: File, held: Mapping[str, object], read: Callable[[str], ndarray]
) -> dict[str, ndarray]:
    """`_named` returns x and y, and x_test and y_test where the recipe names them or the file has them under
    these names."""
    names = {"x": recipe.x, "y": recipe.y}
    if recipe.x_test or recipe.y_test or "x_test" in held or "y_test" in held:
        names |= {"x_test": recipe.x_test or "x_test", "y_test": recipe.y_test or "y_test"}
    if missing := [name for name in names.values() if name not in held]:
        raise DataError(f"{path} has no {' and no '.join(missing)}: it holds {', '.join(map(str, held))}.")
    return {role: read(name) for role, name in names.items()}


def _read_csv(path: Path, recipe: File) -> dict[str, ndarray]:
    import numpy as np

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
    path: Path, arrays: Mapping[str, ndarray], x_name: str, y_name: str, classes: bool
) -> tuple[ndarray, ndarray]:
    """`_rows` returns checked rows: x, and y [rows] of classes or [rows, …] of numbers."""
    import numpy as np

    x, y = (np.asarray(arrays.get(name, np.empty(0))) for name in (x_name, y_name))
    for name, array in ((x_name, x), (y_name, y)):
        if array.size == 0 or array.ndim == 0:
            raise DataError(f"{path}: {name} has no rows.")
        if array.dtype.kind not in "buif":
            raise DataError(f"{path}: {name} must hold real numbers, not {array.dtype}.")
        if not np.isfinite(array).all():
            raise DataError(f"{path}: {name} has missing or infinite values. Fill or drop these rows.")
    if len(x) != len(y):
        raise DataError(f"{path}: {x_name} has {len(x)} rows and {y_name} has {len(y)}.")
    if not classes:
        return x, y.astype(np.float64)
    if y.size != len(y) or not np.array_equal(y, np.round(y)):
        raise DataError(
            f"{path}: {y_name} must hold one whole number per row, its class, or use labels: value."
        )
    return x, y.ravel().astype(np.int64)


READERS = {".npz": _read_npz, ".csv": _read_csv, ".nc": _read_nc}
