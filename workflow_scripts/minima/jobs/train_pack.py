"""What a training job does: ask the store, train what it lacks, write as cells finish, hand over the pack."""

import logging
import time
from collections.abc import Mapping, Sequence
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

logger = logging.getLogger("minima")


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
) -> None:
    """Writes `output`, the pack of these cells, training those the store does not have, group after group.
    `data_files` are the files of their splits by name, `starts` the packs of the cells that they start from;
    `device`, `products` and `reuse` are options of the config.

    Each cell that finishes is safe in the store soon after, whatever happens to the job.
    """
    digests_in = {name: split_digests(file) for name, file in data_files.items()}
    start_keys = _of_starts(cells, starts, "key")
    parts = []
    # One for all groups, so that no job holds two GPUs; taken only where there is something to train.
    place: tuple[torch.device, str] | None = None
    for group, members in by_group(cells).items():
        file_of = {cell.split: data_file(cell).name for cell in members}  # of one recipe, as all of a group
        digests = {split: digests_in[name][split] for split, name in file_of.items()}
        wanted = identities(members, digests, start_keys)
        stored = store.look_up(store_folder, group, wanted, reuse)
        missing = [cell for cell in members if cell.digest not in stored]
        logger.info("%d cells: %d in the store, %d to train", len(members), len(stored), len(missing))
        if missing:
            needed: dict[str, set[int]] = {}
            for cell in missing:
                needed.setdefault(file_of[cell.split], set()).add(cell.split)
            splits: dict[int, xr.Dataset] = {}
            for name, some in needed.items():
                splits |= load_splits(data_files[name], sorted(some))
            for cell in missing:  # a network of today on data prepared for others
                refuse_misfits(
                    [cell], np.atleast_1d(splits[cell.split]["x_train"].attrs["row_shape"]).tolist()
                )
            states = _of_starts(missing, starts, "parameters")
            place = place or take(device)
            shards = _train(missing, splits, wanted, store_folder, place, products, journal_file, states)
            stored |= store.among(shards, wanted, reuse)
        logger.info("trained %d cells", len(missing))
        parts.append(store.read([stored[cell.digest] for cell in members]))
    pack_file.write(parts, output)


def identities(
    cells: Sequence[Cell], data: Mapping[int, str], starts: Mapping[str, str]
) -> dict[str, store.Identity]:
    """Cell digest → identity of a group's cells, given the digest of each split's arrays and the key of each
    cell's start."""
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


def _of_starts(cells: Sequence[Cell], packs: Sequence[Path], name: str) -> dict[str, Any]:
    """Start's digest → its value of one variable, from the packs."""
    wanted = {cell.start.digest for cell in cells if cell.start is not None}
    found: dict[str, Any] = {}
    for path in packs if wanted else ():
        with pack_file.opened(path) as parts:
            for part in parts:
                for row, digest in enumerate(part["cell"].values.tolist()):
                    if digest in wanted:
                        found[digest] = part[name].isel(cell=row).values[()]
    if missing := wanted - set(found):
        raise RuntimeError(
            f"{', '.join(map(str, packs))}: no cell {', '.join(sorted(missing))} to start from"
        )
    return found


def _with_state(cell: Cell, states: Mapping[str, Any]) -> dict[str, Any]:
    """A cell's fields; where it starts from another cell, that one's whole state among them."""
    if cell.start is None:
        return cell.values
    return cell.values | {"init": cell["init"] | {"state": states[cell.start.digest]}}


def _train(
    cells: Sequence[Cell],
    splits: Mapping[int, xr.Dataset],
    wanted: Mapping[str, store.Identity],
    folder: Path,
    place: "tuple[torch.device, str]",
    products: str,
    journal_file: Path | None,
    states: Mapping[str, Any],
) -> list[Path]:
    """`_train` trains the cells and returns the shards that it wrote."""
    # torch takes a second to import: a pack that the store holds whole does without.
    from minima.engine.products import by
    from minima.training.cells import train_cells
    from minima.training.memory import DoesNotFit
    from minima.training.start import Arrays

    arrays = {
        split: Arrays(
            *(data[name].values for name in ("x_train", "y_train", "x_test", "y_test")),
            shape=tuple(np.atleast_1d(data["x_train"].attrs["row_shape"]).tolist()),
        )
        for split, data in splits.items()
    }
    modules = code_used(training_modules(cells[0].values))
    device, name = place
    given = [_with_state(cell, states) for cell in cells]
    results = train_cells(given, [arrays[cell.split] for cell in cells], device)
    journal = Journal(journal_file, name)
    finished: list[tuple[store.Identity, dict[str, Any]]] = []
    shards: list[Path] = []

    def flush() -> None:
        if finished:
            shared = coordinates(cells[0].values)
            shard = store.write(folder, cells[0].group, finished, shared, modules, variables())
            logger.info("wrote %d cells to %s", len(finished), shard)
            journal.wrote(shard, len(finished))
            shards.append(shard)
            finished.clear()

    begun = last = time.monotonic()
    try:
        with by(products):
            for done in results:
                cell, values = cells[done.position], done.values
                finished.append((wanted[cell.digest], values))
                logger.info("cell %s %s after %d steps", cell.digest, values["status"], values["steps"])
                now = time.monotonic()
                # A kill loses at most a fifth of the work, or a minute; a long job leaves no thousands of
                # files.
                if now - last > min(max(2.0, 0.2 * (now - begun)), 60.0):
                    flush()
                    last = now
    except DoesNotFit as error:
        estimate = error.networks * sum(cell_cost(cell).memory_mb for cell in cells) / len(cells)
        raise RuntimeError(
            f"{error} (the plan's estimate for them: {estimate:.0f} MB): lower execution.device_memory_gb, "
            "by which packs are cut"
        ) from error
    finally:
        flush()
    return shards
