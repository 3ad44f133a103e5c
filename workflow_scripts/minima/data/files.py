"""Prepared data on disk: one netCDF per recipe, read a split at a time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import xarray as xr

from minima.data.pool import DataError
from minima.netcdf import write_atomically


def save(dataset: xr.Dataset, path: str | Path) -> None:
    """Write a prepared dataset; the same dataset gives the same bytes."""
    encoding: dict[str, dict] = {"digest": {"dtype": "S1", "char_dim_name": "digest_length"}}
    for name in ("x_train", "x_test"):  # a chunk per split: a job reads only its own
        shape = (1, *dataset[name].shape[1:])
        encoding[name] = {"zlib": True, "complevel": 1, "shuffle": True, "chunksizes": shape}
    write_atomically(dataset, path, encoding)


def load_split(path: str | Path, split: int) -> xr.Dataset:
    """One split in memory, without the dimension `split`."""
    return load_splits(path, [split])[split]


def load_splits(path: str | Path, splits: Sequence[int]) -> dict[int, xr.Dataset]:
    """Split → its arrays in memory; the file is opened and read once, which costs more than a split."""
    with _opened(path) as dataset:
        stored = set(dataset["split"].values.tolist())
        for split in splits:
            if split not in stored:
                raise DataError(f"{path} has no split {split}: prepare it again with this split")
        wanted = dataset.sel(split=list(splits)).load()
    return {split: wanted.isel(split=row) for row, split in enumerate(splits)}


def split_digests(path: str | Path) -> dict[int, str]:
    """Split → digest of its arrays, for every split of a file."""
    with _opened(path) as dataset:
        return dict(zip(dataset["split"].values.tolist(), dataset["digest"].values.tolist(), strict=True))


@contextmanager
def _opened(path: str | Path) -> Iterator[xr.Dataset]:
    """A prepared file; what is wrong with it is told with the mend."""
    try:
        with xr.open_dataset(path, engine="netcdf4") as dataset:
            yield dataset
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(f"there is no prepared data {path}: run the rule that prepares it") from None
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise DataError(f"{path} is damaged ({error}): delete it and prepare it again") from error
