"""The cell store: a cache of trained cells, content-addressed. Deleting it costs only time.

    store/<group>/<bits>_<name>.nc    an immutable shard: some cells of a group, written once, then renamed

A cell's key is the digest of everything its training depends on but the versions of libraries, so nothing in
the store is ever stale; it can only be unused. There is no index and no lock. The digests of all cells of a
shard begin with its <bits>, as those of a pack do: a job opens those shards of its group that may hold its
cells, whoever wrote them, and passes the others by. A file that cannot be read is passed over with a warning
and left where it is.

Examples:
    A shard of one cell is written, found by what its results depend on, and read:

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> cell = Identity(cell="0f", fields='{"seed": 100}', data="digits", code="today")
    >>> shard = write(folder, "group", [(cell, {"status": "converged", "steps": 7})], {"step": [0]}, {})
    >>> found = look_up(folder, "group", {"0f": cell}, reuse="same_code")
    >>> read(found.values()).steps.values.tolist()
    [7]

    Another code trains it again, unless it is told to take what there is:

    >>> edited = Identity(cell="0f", fields='{"seed": 100}', data="digits", code="edited")
    >>> len(look_up(folder, "group", {"0f": edited}, reuse="same_code"))
    0
    >>> len(look_up(folder, "group", {"0f": edited}, reuse="any_code"))
    1
"""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import xarray as xr

from minima.netcdf import string_encoding, write_atomically
from minima.plan.digest import bits, digest
from minima.plan.versions import library_versions
from minima.variables import COORDINATES, VARIABLES, Variable

logger = logging.getLogger("minima")

KEY_LENGTH = 24
LONGEST_BITS = 16  # in a shard's name
# What identifies a stored cell, beside its results.
LABELS = {
    "key": "digest of the cell, its data, its code and the cells it starts from",
    "cell": "digest of the cell's canonical JSON",
    "fields": "the cell's canonical JSON",
    "data": "digest of the data arrays it was trained on",
    "code": "fingerprint of the code that trained it",
    "versions": "versions of the libraries that trained it",
    "start": "key of the cell that it starts from, or none",
}
NO_START = "none"
NOT_RECORDED = "not recorded"  # versions, in shards of before they were


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
    versions: str
    shard: Path
    row: int
    modules: Mapping[str, str]  # the code behind `identity.code`: module → digest
    numbers: Mapping[str, Any]  # those of the results that were asked for


def serves(entry: Entry, code: str, reuse: str) -> bool:
    """`serves` returns whether a stored cell is taken for one that today's code, of this fingerprint, would
    train on the same data from the same start. `reuse` is the option of the config."""
    if reuse == "any_code":
        return True
    return entry.identity.code == code and (reuse != "same_versions" or entry.versions == library_versions())


def best(entries: Iterable[Entry], code: str) -> Entry:
    """`best` returns of several stored cells that serve one of today's code before others, and of these one
    of today's libraries."""
    return max(entries, key=lambda entry: (entry.identity.code == code, entry.versions == library_versions()))


def write(
    folder: Path,
    group: str,
    cells: Sequence[tuple[Identity, Mapping[str, Any]]],
    coordinates: Mapping[str, Sequence[float]],
    modules: Mapping[str, str],
    variables: Mapping[str, Variable] = VARIABLES,
) -> Path:
    """`write` writes one shard of trained cells, which share their coordinates, and returns its path;
    `variables` says what each of their results is."""
    cells = sorted(cells, key=lambda cell: cell[0].cell)
    name = digest(",".join([*(identity.key for identity, _ in cells), library_versions()]))
    first, last = (bits(cells[place][0].cell)[:LONGEST_BITS] for place in (0, -1))  # of sorted digests
    shared = "".join(a for place, a in enumerate(first) if last.startswith(first[: place + 1]))
    path = folder / group / f"{shared or 'all'}_{name}.nc"
    dataset = to_dataset(cells, coordinates, variables)
    dataset.attrs["modules"] = json.dumps(modules, sort_keys=True)
    write_atomically(dataset, path, encoding=string_encoding(dataset))
    return path


def look_up(folder: Path, group: str, wanted: Mapping[str, Identity], reuse: str) -> dict[str, Entry]:
    """`look_up` returns cell digest → the best stored cell that serves, of those of the wanted cells (by cell
    digest) for which there is one."""
    beginnings = {bits(cell)[:length] for cell in wanted for length in range(LONGEST_BITS + 1)}
    shards = (path for path in shards_of(folder, group) if _bits_of(path) in beginnings)
    return among(shards, wanted, reuse)


def among(shards: Iterable[Path], wanted: Mapping[str, Identity], reuse: str) -> dict[str, Entry]:
    """`among` returns the same of these shards alone."""
    fitting: dict[str, list[Entry]] = {}
    for entry in entries_of(shards):
        stored, target = entry.identity, wanted.get(entry.identity.cell)
        if (
            target is not None
            and (stored.data, stored.start) == (target.data, target.start)
            and serves(entry, target.code, reuse)
        ):
            fitting.setdefault(stored.cell, []).append(entry)
    return {cell: best(entries, wanted[cell].code) for cell, entries in fitting.items()}


def read(entries: Sequence[Entry]) -> xr.Dataset:
    """`read` returns stored cells with their results, in this order."""
    rows: dict[Path, list[int]] = {}
    for entry in entries:
        rows.setdefault(entry.shard, []).append(entry.row)
    parts = []
    for shard, mine in rows.items():
        with xr.open_dataset(shard, engine="netcdf4") as dataset:
            part = dataset.isel(cell=mine).load()
        if "versions" not in part:
            part["versions"] = ("cell", [NOT_RECORDED] * len(mine))
        parts.append(part)
    return join(parts, [entry.identity.cell for entry in entries])


def inventory(folder: Path, names: Sequence[str] = ()) -> Iterator[Entry]:
    """`inventory` yields every readable entry, in a fixed order, with its numbers of these names."""
    return entries_of(shards_of(folder), names)


def shards_of(folder: Path, group: str = "*") -> list[Path]:
    """`shards_of` returns the finished files of one group or of all."""
    return sorted(folder.glob(f"{group}/[!.]*.nc"))


def entries_of(shards: Iterable[Path], names: Sequence[str] = ()) -> Iterator[Entry]:
    """`entries_of` yields every readable entry of these shards, with those of the named variables that its
    shard holds. To open a shard takes longer than to read so little of it."""
    for path in shards:
        try:
            # Not through xarray, which takes ten times as long for a few columns of words.
            with netCDF4.Dataset(path) as shard:
                columns = {name: shard[name][:].tolist() for name in LABELS if name in shard.variables}
                columns.setdefault("versions", [NOT_RECORDED] * len(columns["key"]))
                rows = list(zip(*(columns[name] for name in LABELS), strict=True))
                modules = json.loads(shard.modules)
                found = [shard[name] for name in names if name in shard.variables]
                shared = {v.name: np.ma.filled(v[:]) for v in found if "cell" not in v.dimensions}
                own = {v.name: np.ma.filled(v[:]) for v in found if "cell" in v.dimensions}
        except (OSError, TypeError, ValueError, LookupError, AttributeError, RuntimeError) as error:
            logger.warning("%s is not a readable shard and is passed over: %s", path, error)
            continue
        for row, values in enumerate(rows):
            labels = dict(zip(LABELS, values, strict=True))
            key, versions = labels.pop("key"), labels.pop("versions")
            identity = Identity(**labels)
            if identity.key == key:
                numbers = shared | {name: column[row] for name, column in own.items()}
                yield Entry(identity, versions, path, row, modules, numbers)
            else:
                logger.warning("%s, row %d: the key does not fit its cell; passed over", path, row)


def _bits_of(shard: Path) -> str:
    """`_bits_of` returns the bits that a shard's name begins with: none for `all`, nor for the names that
    shards once had, which every job of the group opens."""
    beginning, _, rest = shard.stem.partition("_")
    return beginning if rest and not beginning.strip("01") else ""


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
    cells: Sequence[tuple[Identity, Mapping[str, Any]]],
    coordinates: Mapping[str, Sequence[float]],
    variables: Mapping[str, Variable] = VARIABLES,
) -> xr.Dataset:
    """Cells that share their dimensions as one dataset with the dimension `cell`. What only some of them
    have, as those whose rates are in units of the kernel have its edge, is NaN in the others."""
    labels = {
        name: ("cell", np.array([getattr(identity, name) for identity, _ in cells]), {"long_name": text})
        for name, text in LABELS.items()
        if name != "versions"
    }
    labels["versions"] = (
        "cell",
        np.array([library_versions()] * len(cells)),
        {"long_name": LABELS["versions"]},
    )
    shared = {
        name: (COORDINATES[name].dims, np.asarray(values), _attributes(COORDINATES[name]))
        for name, values in coordinates.items()
    }
    results = {}
    for name, one in {name: value for _, found in cells for name, value in found.items()}.items():
        variable = variables[name]
        values = np.stack(
            [
                np.asarray(found[name]) if name in found else np.full(np.shape(one), np.nan)
                for _, found in cells
            ]
        )
        results[name] = (("cell", *variable.dims), values, _attributes(variable))
    cell = {"cell": labels.pop("cell")}
    return xr.Dataset(results | labels, coords=cell | shared)


def _attributes(variable: Variable) -> dict[str, str]:
    return {"long_name": variable.long_name, "units": variable.units}
