"""The cell store: a cache of trained cells, content-addressed. Deleting it costs only time.

    store/<group>/<name>.nc    an immutable shard: some cells of a group, written once, renamed into place

A cell's key is the digest of everything its training depends on, so nothing in the store is ever stale; it
can only be unused. There is no index and no lock: a job reads the keys of its own group's shards. A file
that cannot be read is passed over with a warning and left where it is.
"""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import xarray as xr

from minima.netcdf import string_encoding, write_atomically
from minima.plan.digest import digest
from minima.variables import COORDINATES, VARIABLES, Variable

logger = logging.getLogger("minima")

KEY_LENGTH = 24
# What identifies a stored cell, beside its results.
LABELS = {
    "key": "digest of the cell, its data, its code and the cells it starts from",
    "cell": "digest of the cell's canonical JSON",
    "fields": "the cell's canonical JSON",
    "data": "digest of the data arrays it was trained on",
    "code": "fingerprint of the code that trained it",
    "start": "key of the cell that it starts from, or none",
}
NO_START = "none"


@dataclass(frozen=True)
class Identity:
    """What a cell's results depend on."""

    cell: str
    fields: str
    data: str
    code: str
    start: str = NO_START

    @property
    def key(self) -> str:
        return digest(f"{self.fields}|{self.data}|{self.code}|{self.start}", KEY_LENGTH)


@dataclass(frozen=True)
class Entry:
    """A stored cell's labels, and where it stands."""

    identity: Identity
    shard: Path
    row: int
    modules: Mapping[str, str]  # the code behind `identity.code`: module → digest


def write(
    folder: Path,
    group: str,
    cells: Sequence[tuple[Identity, Mapping[str, Any]]],
    coordinates: Mapping[str, Sequence[float]],
    modules: Mapping[str, str],
) -> Path:
    """Writes one shard of trained cells, which share their coordinates, and returns its path."""
    cells = sorted(cells, key=lambda cell: cell[0].cell)
    path = folder / group / f"{digest(','.join(identity.key for identity, _ in cells))}.nc"
    dataset = to_dataset(cells, coordinates)
    dataset.attrs["modules"] = json.dumps(modules, sort_keys=True)
    write_atomically(dataset, path, encoding=string_encoding(dataset))
    return path


def find(
    folder: Path, group: str, wanted: Mapping[str, Identity], any_code: bool = False
) -> xr.Dataset | None:
    """Those of the wanted cells (by cell digest) that the store has, in the order of `wanted`; None if none.

    With `any_code`, cells of the same fields and data that other code trained serve too, today's first.
    """
    rows: dict[str, tuple[Path, int]] = {}
    for entry in inventory(folder, group):
        target = wanted.get(entry.identity.cell)
        if target is None:
            continue
        exact = entry.identity.key == target.key
        same = (entry.identity.data, entry.identity.start) == (target.data, target.start)
        if exact or (any_code and same and entry.identity.cell not in rows):
            rows[entry.identity.cell] = (entry.shard, entry.row)
    parts = []
    for shard in dict.fromkeys(path for path, _ in rows.values()):
        with xr.open_dataset(shard, engine="netcdf4") as dataset:
            parts.append(dataset.isel(cell=[row for path, row in rows.values() if path == shard]).load())
    return join(parts, [cell for cell in wanted if cell in rows]) if parts else None


def inventory(folder: Path, group: str | None = None) -> Iterator[Entry]:
    """Every readable entry, of one group or of all, in a fixed order."""
    for path in sorted(folder.glob(f"{group or '*'}/[!.]*.nc")):
        try:
            # Not through xarray, which takes ten times as long for a few columns of words.
            with netCDF4.Dataset(path) as shard:
                columns = (shard[name][:].tolist() for name in LABELS)
                rows = list(zip(*columns, strict=True))
                modules = json.loads(shard.modules)
        except (OSError, TypeError, ValueError, LookupError, AttributeError, RuntimeError) as error:
            logger.warning("%s is not a readable shard and is passed over: %s", path, error)
            continue
        for row, (key, *values) in enumerate(rows):
            identity = Identity(*values)
            if identity.key == key:
                yield Entry(identity, path, row, modules)
            else:
                logger.warning("%s, row %d: the key does not fit its cell; passed over", path, row)


def join(parts: Sequence[xr.Dataset], order: Sequence[str]) -> xr.Dataset:
    """Cells of several shards as one dataset, in the given order of cell digests."""
    joined = xr.concat(
        [part.drop_attrs(deep=False) for part in parts],
        dim="cell",
        data_vars="all",
        coords="minimal",
        compat="override",
        join="exact",
        combine_attrs="drop_conflicts",
    )
    position = {cell: row for row, cell in enumerate(joined["cell"].values.tolist())}
    return joined.isel(cell=[position[cell] for cell in order])


def to_dataset(
    cells: Sequence[tuple[Identity, Mapping[str, Any]]], coordinates: Mapping[str, Sequence[float]]
) -> xr.Dataset:
    """Cells that share their dimensions as one dataset with the dimension `cell`."""
    labels = {
        name: ("cell", np.array([getattr(identity, name) for identity, _ in cells]), {"long_name": text})
        for name, text in LABELS.items()
    }
    shared = {
        name: (COORDINATES[name].dims, np.asarray(values), _attributes(COORDINATES[name]))
        for name, values in coordinates.items()
    }
    results = {}
    for name in cells[0][1]:
        variable = VARIABLES[name]
        values = np.stack([np.asarray(values[name]) for _, values in cells])
        results[name] = (("cell", *variable.dims), values, _attributes(variable))
    cell = {"cell": labels.pop("cell")}
    return xr.Dataset(results | labels, coords=cell | shared)


def _attributes(variable: Variable) -> dict[str, str]:
    return {"long_name": variable.long_name, "units": variable.units}
