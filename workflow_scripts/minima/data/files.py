"""Prepared data on disk: one netCDF per recipe, read a split at a time."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import netCDF4
import numpy as np

from minima.atomic import replacing
from minima.data.pool import DataError
from minima.data.prepared import LONG_NAMES, Layout, Prepared

if TYPE_CHECKING:
    import xarray as xr

CHUNK_BYTES = 2**22
DIGEST_LENGTH = 64


def save(content: Prepared, path: str | Path) -> None:
    """`save` writes prepared splits as they are made; the same splits give the same bytes."""
    variables = content.variables.items()
    nbytes = len(content.numbers) * sum(math.prod(v.shape) * v.dtype.itemsize for _, v in variables)
    with replacing(path, nbytes) as temporary, netCDF4.Dataset(temporary, "w") as file:
        file.setncatts(content.attributes)
        file.createDimension("split", len(content.numbers))
        file.createDimension("digest_length", DIGEST_LENGTH)
        for _, variable in variables:
            for dim, size in zip(variable.dims[1:], variable.shape, strict=True):
                if dim not in file.dimensions:
                    file.createDimension(dim, size)
        targets = {name: _created(file, name, variable) for name, variable in variables}
        digests = content.into(targets)
        numbers = file.createVariable("split", "i8", ("split",))
        numbers.long_name = LONG_NAMES["split"]
        numbers[:] = content.numbers
        digest = file.createVariable("digest", "S1", ("split", "digest_length"))
        digest.setncatts({"long_name": LONG_NAMES["digest"], "_Encoding": "ascii"})
        digest[:] = np.array(digests, f"S{DIGEST_LENGTH}")


def _created(file: netCDF4.Dataset, name: str, layout: Layout) -> netCDF4.Variable:
    """`_created` returns a new variable of the file. Inputs are compressed, by a few rows of one split: a job
    reads only its own split, and a chunk cannot have more than 4 GiB."""
    options: dict[str, Any] = {}
    if name.startswith("x_"):
        rows, features = layout.shape
        most = max(1, CHUNK_BYTES // (features * layout.dtype.itemsize))
        chunk = (1, min(rows, most), features)
        options = {"compression": "zlib", "complevel": 1, "shuffle": True, "chunksizes": chunk}
    variable = file.createVariable(name, layout.dtype, layout.dims, **options)
    variable.setncatts(layout.attributes)
    return variable


def load_split(path: str | Path, split: int, names: Sequence[str] | None = None) -> "xr.Dataset":
    """`load_split` returns one split in memory, without the dimension `split`; with `names` these variables
    alone."""
    return load_splits(path, [split], names)[split]


def load_splits(
    path: str | Path, splits: Sequence[int], names: Sequence[str] | None = None
) -> "dict[int, xr.Dataset]":
    """`load_splits` returns split → its arrays in memory. The file is opened once, which costs more than
    reading a split."""
    with _opened(path) as dataset:
        stored = dataset["split"].values.tolist()
        for split in splits:
            if split not in stored:
                raise DataError(f"{path} has no split {split}: prepare it again with this split")
        wanted = dataset if names is None else dataset[list(names)]
        return {split: wanted.isel(split=stored.index(split)).load() for split in splits}


def split_digests(path: str | Path) -> dict[int, str]:
    """Split → digest of its arrays, for every split of a file."""
    with _opened(path) as dataset:
        return dict(zip(dataset["split"].values.tolist(), dataset["digest"].values.tolist(), strict=True))


@contextmanager
def _opened(path: str | Path) -> "Iterator[xr.Dataset]":
    """A prepared file; what is wrong with it is told with the mend."""
    import xarray as xr  # half of what a job that writes a file would take to start

    try:
        with xr.open_dataset(path, engine="netcdf4") as dataset:
            yield dataset
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(f"there is no prepared data {path}: run the rule that prepares it") from None
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise DataError(f"{path} is damaged ({error}): delete it and prepare it again") from error
