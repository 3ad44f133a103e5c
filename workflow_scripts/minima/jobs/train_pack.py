"""What a training job does: ask the store, train what it lacks, write as cells finish, hand over the pack."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from minima import store
from minima.data.files import load_splits, split_digests
from minima.jobs import pack_file
from minima.jobs.devices import take
from minima.jobs.journal import Journal
from minima.jobs.prepare_data import refuse_misfits
from minima.plan.cost import cell_cost
from minima.plan.files import data_file
from minima.plan.fingerprint import cell_fingerprint, code_used, training_modules
from minima.plan.grid import Cell, by_group
from minima.plan.marks import variables
from minima.training.recording import coordinates

if TYPE_CHECKING:
    import torch

    from minima.training.start import Arrays

logger = logging.getLogger("minima")
FIRST_FLUSH, LAST_FLUSH, SHARE = 2.0, 60.0, 0.2  # seconds at least and at most, and of the time so far


def train_pack(
    cells: Sequence[Cell],
    data_files: Mapping[str, Path],
    store_folder: Path,
    output: Path,
    device: str,
    reuse: str,
    journal_file: Path | None = None,
    starts: Sequence[Path] = (),
    products: str = "auto",
    kernel_memory_gb: float = 4.0,
) -> None:
    """`train_pack` writes `output`, the pack of these cells, training those the store does not have, group
    after group. `data_files` are the files of their splits by name, `starts` the packs of the cells that they
    start from; `device`, `products`, `kernel_memory_gb` and `reuse` are options of the config.

    Each cell that finishes is safe in the store soon after, whatever happens to the job.
    """
    job = _Job(data_files, store_folder, device, reuse, journal_file, starts, products, kernel_memory_gb)
    pack_file.write([job.group(members) for members in by_group(cells).values()], output)


def identities(
    cells: Sequence[Cell], data: Mapping[int, str], starts: Mapping[str, str]
) -> dict[str, store.Identity]:
    """`identities` returns cell digest → identity of a group's cells, given the digest of each split's arrays
    and the key of each cell's start."""
    code = cell_fingerprint(cells[0])
    return {
        cell.digest: store.Identity(
            cell.digest,
            cell.json,
            data[cell.split],
            code,
            store.NO_START if cell.start is None else starts[cell.start.digest],
        )
        for cell in cells
    }


@dataclass(frozen=True)
class _Job:
    """`_Job` is what `train_pack` was called with."""

    data_files: Mapping[str, Path]
    folder: Path
    device: str
    reuse: str
    journal_file: Path | None
    starts: Sequence[Path]
    products: str
    kernel_memory_gb: float

    @cached_property
    def place(self) -> "tuple[torch.device, str]":
        """The device and its name: one for all groups, so that no job holds two GPUs, and taken only where
        there is something to train."""
        return take(self.device)

    @cached_property
    def digests(self) -> dict[str, dict[int, str]]:
        """File of data → split → digest of its arrays."""
        return {name: split_digests(file) for name, file in self.data_files.items()}

    def group(self, members: Sequence[Cell]) -> xr.Dataset:
        """`group` returns the trained cells of a group, from the store as far as it has them."""
        digests = {cell.split: self.digests[data_file(cell).name][cell.split] for cell in members}
        wanted = identities(members, digests, self.of_starts(members, "key"))
        stored = store.look_up(self.folder, members[0].group, wanted, self.reuse)
        missing = [cell for cell in members if cell.digest not in stored]
        logger.info("%d cells: %d in the store, %d to train", len(members), len(stored), len(missing))
        if missing:
            stored |= store.among(self.train(missing, wanted), wanted, self.reuse)
        logger.info("trained %d cells", len(missing))
        return store.read([stored[cell.digest] for cell in members])

    def of_starts(self, cells: Sequence[Cell], name: str) -> dict[str, Any]:
        """`of_starts` returns start's digest → its value of one variable, from the packs."""
        wanted = {cell.start.digest for cell in cells if cell.start is not None}
        found: dict[str, Any] = {}
        for path in self.starts if wanted else ():
            with pack_file.opened(path) as parts:
                for part in parts:
                    for row, digest in enumerate(part["cell"].values.tolist()):
                        if digest in wanted:
                            found[digest] = part[name].isel(cell=row).values[()]
        if missing := wanted - set(found):
            packs = ", ".join(map(str, self.starts))
            raise RuntimeError(f"{packs}: no cell {', '.join(sorted(missing))} to start from")
        return found

    def train(self, cells: Sequence[Cell], wanted: Mapping[str, store.Identity]) -> list[Path]:
        """`train` trains the cells of a group and returns the shards that it wrote."""
        splits = self.splits(cells)
        # torch takes a second to import: a pack that the store holds whole does without.
        from minima.engine import budget, products
        from minima.training.cells import train_cells
        from minima.training.memory import DoesNotFit

        check_modules(cells[0].values, next(iter(splits.values())))
        states = self.of_starts(cells, "parameters")
        device, name = self.place
        shards = _Shards(self.folder, cells[0], Journal(self.journal_file, name))
        given, data = [_fields(cell, states) for cell in cells], [splits[cell.split] for cell in cells]
        try:
            with products.by(self.products), budget.of(self.kernel_memory_gb):
                for done in train_cells(given, data, device):
                    shards.add(wanted[cells[done.position].digest], done.values)
        except DoesNotFit as error:
            estimate = error.networks * sum(cell_cost(cell).memory_mb for cell in cells) / len(cells)
            raise RuntimeError(
                f"{error} (the plan's estimate for them: {estimate:.0f} MB): lower "
                "execution.device_memory_gb, by which packs are cut"
            ) from error
        finally:
            shards.flush()
        return shards.written

    def splits(self, cells: Sequence[Cell]) -> "dict[int, Arrays]":
        """`splits` returns split → its arrays. A network of today may not fit data prepared for others."""
        from minima.training.start import Arrays

        name_of = {cell.split: data_file(cell).name for cell in cells}
        found = {}
        for name, some in groupby(sorted(name_of, key=lambda split: (name_of[split], split)), name_of.get):
            for split, data in load_splits(self.data_files[name], [*some]).items():
                arrays = [data[array].values for array in ("x_train", "y_train", "x_test", "y_test")]
                shape = np.atleast_1d(data["x_train"].attrs["row_shape"]).tolist()
                found[split] = Arrays(*arrays, tuple(shape))
        for cell in cells:
            refuse_misfits([cell], found[cell.split].shape)
        return found


def check_modules(cell: Mapping[str, Any], split: "Arrays") -> None:
    """`check_modules` raises `ModuleError` where a module of the user's own cannot be trained as the cells of
    a group are, each of which `cell` may be."""
    from minima.training.start import network_of

    net, optimizer = network_of(cell, split).asked_for, cell["optimizer"]
    if getattr(net, "make", None) is None:
        return
    from minima.engine.module_checks import check

    rows, batch = len(split.x_train), optimizer.get("batch_size")
    left = rows % batch if batch and not optimizer.get("replacement", False) else 0
    network = cell["network"]
    normalizes = bool(network.get("batch_norm", True))
    who = f"network: {network.get('name', network['kind'])} of {network.get('file', 'an extension')}"
    for dtype in dict.fromkeys([cell["dtype"], *(["float64"] if cell["predict"] else [])]):  # theory's
        check(net, who, split.x_train, split.y_train.shape[1], left or batch, dtype, normalizes)


def _fields(cell: Cell, states: Mapping[str, Any]) -> dict[str, Any]:
    """`_fields` returns a cell's fields; where it starts from another cell, that one's whole state among
    them."""
    if cell.start is None:
        return cell.values
    return cell.values | {"init": cell["init"] | {"state": states[cell.start.digest]}}


@dataclass
class _Shards:
    """`_Shards` writes a group's cells as they finish, some at a time."""

    folder: Path
    first: Cell
    journal: Journal
    written: list[Path] = field(default_factory=list)
    waiting: list[tuple[store.Identity, dict[str, Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.begun = self.last = time.monotonic()
        self.code = code_used(training_modules(self.first.values))  # as it is before the training

    def add(self, identity: store.Identity, values: dict[str, Any]) -> None:
        """`add` keeps a cell. A kill loses at most a fifth of the work, or a minute; a long job leaves no
        thousands of files."""
        self.waiting.append((identity, values))
        logger.info("cell %s %s after %d steps", identity.cell, values["status"], values["steps"])
        now = time.monotonic()
        if now - self.last > min(max(FIRST_FLUSH, SHARE * (now - self.begun)), LAST_FLUSH):
            self.flush()
            self.last = now

    def flush(self) -> None:
        """`flush` writes what is kept to a shard of the store."""
        if self.waiting:
            group, dimensions = self.first.group, coordinates(self.first.values)
            shard = store.write(self.folder, group, self.waiting, dimensions, self.code, variables())
            logger.info("wrote %d cells to %s", len(self.waiting), shard)
            self.journal.wrote(shard, len(self.waiting))
            self.written.append(shard)
            self.waiting.clear()
