"""The user's own tables: .csv, .parquet, .npz and .nc. Nothing is unpickled."""

from __future__ import annotations

import ast
import csv
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote, urlsplit

from pydantic import Field

from minima.data.fetch import fetch
from minima.data.layouts import channels_last
from minima.data.pool import DataError, Pool
from minima.data.tables import header, inputs_and_target, read_csv, read_parquet
from minima.data.targets import refuse_gaps, targets_of
from minima.plan.options import LATER
from minima.plan.recipes import LABELS, UNKNOWN, Labels, Recipe, Sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy import ndarray

ENDINGS = (".npz", ".csv", ".parquet", ".nc")
TABLES = (".csv", ".parquet")  # which name their columns
INPUTS, TARGETS = ("x", "x_test"), ("y", "y_test")


class File(Recipe):
    """The user's own table: .csv, .parquet, .npz or .nc."""

    targets = "either"

    labels: Labels = Field("value", description=LABELS)
    path: str | None = Field(
        None,
        description="The file, relative to the working directory: .csv, .parquet (needs pyarrow), .npz or "
        ".nc. With an address: where it is kept, relative to data_dir; null: the address's last part.",
    )
    address: str | None = Field(
        None,
        description="Where the file is downloaded from, once, such as https://example.org/table.csv; "
        "needs sha256.",
        json_schema_extra=LATER,
    )
    sha256: Sha256 | None = Field(None, description="Checksum to insist on.")
    x: str = Field(
        "x",
        description="Name of the inputs in an .npz or .nc file: (rows, features), or images as layout says.",
    )
    y: str = Field("y", description="Name of the targets in an .npz or .nc file, rows first.")
    x_test: str | None = Field(
        None, description="Name of the test inputs in an .npz or .nc file; null: x_test where there is one."
    )
    y_test: str | None = Field(
        None, description="Name of the test targets in an .npz or .nc file; null: y_test where there is one."
    )
    layout: Literal["nhw", "nhwc", "nchw"] | None = Field(
        None,
        description="Axes of the images in an .npz or .nc file: rows, height, width and, first or last, "
        "channels; null: told by the shape where it can be only one.",
        json_schema_extra=LATER,
    )
    target: str | None = Field(None, description="Target column of a .csv or .parquet file; null: the last.")
    columns: list[str] | None = Field(
        None,
        min_length=1,
        description="Columns of a .csv or .parquet file that are the inputs, in this order; null: all but "
        "the target.",
        json_schema_extra=LATER,
    )
    separator: Literal["comma", "semicolon", "tab", "space"] | None = Field(
        None,
        description="What separates the columns of a .csv file; null: comma, semicolon or tab, whichever "
        "stands in the first line.",
        json_schema_extra=LATER,
    )
    decimal: Literal["point", "comma"] = Field(
        "point", description="Decimal sign of a .csv file.", json_schema_extra=LATER
    )

    @property
    def name(self) -> str:
        """`name` is the path, or what it is where the recipe gives an address alone."""
        return self.path or unquote(urlsplit(self.address or "").path.rpartition("/")[2])

    def file(self, data_dir: Path) -> Path:
        """`file` returns where the file stands, or will once it is downloaded."""
        return data_dir / self.name if self.address else Path(self.name)

    @property
    def ending(self) -> str:
        return Path(self.name).suffix

    @property
    def downloaded(self) -> bool:
        return self.address is not None

    def own_files(self, data_dir: Path) -> list[Path]:
        return [] if self.address else [self.file(data_dir)]

    def published_files(self, data_dir: Path) -> list[Path]:
        return [self.file(data_dir)] if self.address else []

    def where(self) -> str:
        return self.name

    def images(self) -> bool | None:
        if self.ending in TABLES or len(self.expected_shape()) == 1:
            return False
        return None if self.layout is None else True

    def expected_shape(self) -> tuple[int, ...]:
        """`expected_shape` returns the shape that the recipe or the first bytes of the file tell, where it is
        there and its format has a short head."""
        import zipfile

        if self.columns:
            return (len(self.columns),)
        try:
            if self.ending == ".csv":
                with Path(self.name).open(encoding="utf-8-sig", newline="") as table:
                    return (max(1, len(header(table, self.separator, self.name)[0]) - 1),)
            if self.ending == ".npz":
                with zipfile.ZipFile(self.name) as archive, archive.open(f"{self.x}.npy") as array:
                    version = array.read(8)[6]
                    length = int.from_bytes(array.read(2 if version == 1 else 4), "little")
                    shape = tuple(ast.literal_eval(array.read(length).decode())["shape"][1:]) or (1,)
                    last = channels_last(shape, self.layout, self.name)
                    return (*shape[-1:], *shape[:-1]) if last else shape
        except (OSError, LookupError, ValueError, SyntaxError, csv.Error, zipfile.BadZipFile):
            pass
        return UNKNOWN

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        yield from self._place_problems()
        ending, table = self.ending, self.ending in TABLES
        if table and any(getattr(self, role) not in (role, None) for role in INPUTS + TARGETS):
            yield f"x, y, x_test and y_test name variables of .npz and .nc files: use target for {ending}"
        if table and self.layout is not None:
            yield f"layout is of the arrays in .npz and .nc files: use shape for {ending}"
        if not table and self.target is not None:
            yield "target names a column of a .csv or .parquet file: use y for .npz and .nc"
        if not table and self.columns is not None:
            yield "columns are those of a .csv or .parquet file: remove it for .npz and .nc"
        if ending != ".csv" and (self.separator is not None or self.decimal != "point"):
            yield f"separator and decimal are about .csv files: remove them for {ending}"
        for name in dict.fromkeys(self.columns or ()):
            if self.columns.count(name) > 1:
                yield f"columns names {name} twice"
            if name == self.target:
                yield f"{name} is the target and one of columns: leave it out there, or name another target"

    def _place_problems(self) -> Iterator[str]:
        if self.path is None and self.address is None:
            yield "path is missing: name the file, or an address with its sha256"
        elif self.ending not in ENDINGS:
            mend = ", or say in path how to keep it" if self.path is None else ""
            yield f"'{self.name}' should end in {', '.join(ENDINGS)}{mend}"
        if self.address is None:
            return
        if urlsplit(self.address).scheme not in ("https", "http", "ftp", "file"):
            yield f"address should begin with https://, not '{self.address}'"
        if self.sha256 is None:
            yield (
                "address needs sha256, the checksum of the file that is meant (sha256sum prints it): what is "
                "there may change"
            )


def load(recipe: File, data_dir: Path) -> Pool:
    """`load` returns the pool of the user's file, whose `y` are classes where the recipe speaks of
    classes."""
    import zipfile

    path = recipe.file(data_dir)
    sha256 = fetch(path, recipe.source, recipe.sha256, recipe.address)
    try:
        arrays = READERS[path.suffix](path, recipe)
    except DataError:
        raise
    except UnicodeDecodeError as error:
        raise DataError(f"{path} cannot be read: {error}. Save it as UTF-8.") from error
    except (OSError, ValueError, EOFError, csv.Error, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    inputs = {name: _inputs(path, recipe, name, arrays[name]) for name in INPUTS if name in arrays}
    named = {_called(recipe, name): arrays[name] for name in TARGETS if name in arrays}
    targets, words = targets_of(recipe, str(path), named)
    parts = [*zip(inputs.values(), targets, strict=True)]
    for x_name, y_name, (x, y) in zip(inputs, named, parts, strict=True):
        if len(x) != len(y):
            raise DataError(f"{path}: {x_name} has {len(x)} rows and {y_name} has {len(y)}.")
    if len({(x.shape[1:], y.shape[1:]) for x, y in parts}) > 1:
        raise DataError(f"{path}: training and test rows differ in shape.")
    return Pool(*(array for part in parts for array in part), sha256={recipe.name: sha256}, words=words)


def _called(recipe: File, name: str) -> str:
    """`_called` returns what messages call targets."""
    if recipe.ending in TABLES:
        return f"column {recipe.target}" if recipe.target else "the last column"
    return name


def _inputs(path: Path, recipe: File, name: str, x: ndarray) -> ndarray:
    """`_inputs` returns checked inputs, channels before height and width."""
    import numpy as np

    x = np.asarray(x)
    if x.size == 0 or x.ndim == 0:
        raise DataError(f"{path}: {name} has no rows.")
    if x.dtype.kind not in "buif":
        raise DataError(f"{path}: {name} must hold real numbers, not {x.dtype}.")
    refuse_gaps(str(path), name, x)
    last = recipe.ending not in TABLES and channels_last(x.shape[1:], recipe.layout, f"{path}: {name}")
    return np.moveaxis(x, -1, 1) if last else x


def _read_table(path: Path, recipe: File) -> dict[str, ndarray]:
    if recipe.ending == ".csv":
        table = read_csv(path, recipe.separator, recipe.decimal, recipe.target)
    else:
        table = read_parquet(path)
    x, y = inputs_and_target(table, str(path), recipe.columns, recipe.target)
    return {"x": x, "y": y}


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


READERS = {".npz": _read_npz, ".nc": _read_nc, ".csv": _read_table, ".parquet": _read_table}
