"""A training job trains what the store lacks, keeps what it finished, hands over its pack."""

import itertools
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import xarray as xr
from tests.unit.helpers import RECIPE, files_of, grid, prepared

from minima import store
from minima.jobs import pack_file
from minima.jobs import train_pack as training_job
from minima.jobs.devices import processor
from minima.jobs.journal import entries
from minima.plan.cost import cell_cost
from minima.plan.files import data_file
from minima.plan.versions import library_versions
from minima.training import cells as training

NETWORK = {"width": 16}
STOP = {"residual": 0.5, "max_steps": 200}


@pytest.fixture
def job(tmp_path, caplog, monkeypatch):
    """A job in a folder of its own: `run(cells)` returns the pack and how many cells were trained."""
    caplog.set_level("INFO", "minima")
    counted = []
    train_cells = training.train_cells

    def counting(cells, *arguments):
        for done in train_cells(cells, *arguments):
            counted.append(done)
            yield done

    monkeypatch.setattr(training, "train_cells", counting)
    output = tmp_path / "packs" / "pack.nc"

    journal = tmp_path / "journal" / "pack.jsonl"

    def run(cells, data=None, reuse="same_code"):
        counted.clear()
        caplog.clear()
        data = data or prepared(tmp_path / "data.nc", splits=range(4))
        output.unlink(missing_ok=True)
        files = files_of(cells, data)
        training_job.train_pack(cells, files, tmp_path / "store", output, "cpu", reuse, journal)
        parts = pack_file.read(output)
        return parts[0] if len(parts) == 1 else parts, len(counted)

    return SimpleNamespace(
        run=run, store=tmp_path / "store", output=output, folder=tmp_path, counted=counted, journal=journal
    )


def small_cells(scales=(1, 2), seeds=2, **sections):
    sections = {"network": NETWORK, "stop": STOP} | sections
    return grid({"init.scale": list(scales)}, seed={"start": 0, "count": seeds}, **sections).cells


def test_a_pack_holds_its_cells_in_their_order(job):
    """Whatever finishes first, the pack has every cell once, in the order asked for."""
    cells = small_cells()
    order = [cells[i] for i in (2, 0, 3, 1)]
    pack, trained = job.run(order)
    assert trained == 4
    assert pack["cell"].values.tolist() == [cell.digest for cell in order]
    assert pack["fields"].values.tolist() == [cell.json for cell in order]
    ratios = pack["start_norm"].values[[0, 2]] / pack["start_norm"].values[[1, 3]]
    np.testing.assert_allclose(ratios, 2, rtol=1e-12)
    assert (pack["status"] == "converged").all()


def test_groups_are_trained_one_after_the_other(job):
    """A pack of several groups is theirs side by side, whatever their shapes; each has its own shards."""
    narrow, wide = small_cells(), small_cells(network={"width": 24}, stop={"residual": 0.5, "max_steps": 300})
    parts, trained = job.run([*narrow, *wide])
    assert trained == 8
    for part, cells in zip(parts, (narrow, wide), strict=True):
        assert part["cell"].values.tolist() == [cell.digest for cell in cells]
        xr.testing.assert_identical(part, job.run(cells)[0])
        assert (job.store / cells[0].group).is_dir()


def test_each_group_of_a_pack_is_trained_on_data_of_its_own(job):
    """Recipes of one source share a pack; their splits have the same numbers."""
    rows, fewer = small_cells(), small_cells(recipe={"train_size": 5})
    files = {
        data_file(cells[0]).name: prepared(job.folder / f"{size}.nc", range(2), RECIPE | {"train_size": size})
        for cells, size in ((rows, RECIPE["train_size"]), (fewer, 5))
    }
    training_job.train_pack([*rows, *fewer], files, job.store, job.output, "cpu", "same_code")
    parts = pack_file.read(job.output)
    assert [part.sizes["train_point"] for part in parts] == [RECIPE["train_size"], 5]
    for part, cells in zip(parts, (rows, fewer), strict=True):
        alone = job.folder / "alone.nc"
        training_job.train_pack(cells, files, job.folder / "other", alone, "cpu", "same_code")
        xr.testing.assert_identical(part, pack_file.read(alone)[0])


def test_a_job_takes_one_device_for_all_its_groups(job, monkeypatch):
    """On a workstation of several GPUs a second look would take, and hold, another of them."""
    taken = []
    take = training_job.take
    monkeypatch.setattr(training_job, "take", lambda device: taken.append(device) or take(device))
    job.run([*small_cells(), *small_cells(network={"width": 24})])
    assert taken == ["cpu"]


def test_only_missing_cells_are_trained(job, caplog):
    """New cells are trained, old ones read; the log counts both, and results are those of one run."""
    first, trained = job.run(small_cells([1], 2))
    assert trained == 2
    assert "2 cells: 0 in the store, 2 to train" in caplog.messages
    more = small_cells([1, 2], 3)
    second, trained = job.run(more)
    assert trained == 4
    assert "6 cells: 2 in the store, 4 to train" in caplog.messages
    assert "trained 4 cells" in caplog.messages
    common = first["cell"].values
    xr.testing.assert_identical(second.set_index(cell="cell").sel(cell=common), first.set_index(cell="cell"))


def test_the_data_are_read_once_for_all_cells(job, monkeypatch):
    """Reading them for every cell took a third of the training's time in a pack of 100 small networks."""
    data = prepared(job.folder / "data.nc", splits=range(4))
    opened = []
    open_dataset = xr.open_dataset
    monkeypatch.setattr(xr, "open_dataset", lambda path, **k: opened.append(path) or open_dataset(path, **k))
    job.run(small_cells(scales=(1, 2, 3), seeds=4), data)
    assert opened.count(data) == 2, "once for the digests, once for the arrays"


def test_a_whole_pack_comes_from_the_store_without_torch(job, monkeypatch, caplog):
    """Nothing to train: nothing is trained and the engine is not even imported, yet the pack is the same."""
    job.run(small_cells())
    before = job.output.read_bytes()
    monkeypatch.setitem(sys.modules, "minima.training.cells", None)
    monkeypatch.setitem(sys.modules, "minima.engine.device", None)
    _, trained = job.run(small_cells())
    assert trained == 0
    assert "4 cells: 4 in the store, 0 to train" in caplog.messages
    assert "trained 0 cells" in caplog.messages
    assert job.output.read_bytes() == before


def test_bytes_do_not_depend_on_the_history(job):
    """A pack trained at once and one trained in two sittings are the same file."""
    cells = small_cells()
    job.run(cells)
    at_once = job.output.read_bytes()
    for path in job.store.rglob("*.nc"):
        path.unlink()
    job.run(cells[2:])
    _, trained = job.run(cells)
    assert trained == 2
    assert job.output.read_bytes() == at_once


def test_a_failure_keeps_what_was_finished(job, monkeypatch):
    """The job fails without a pack; the cells it had finished are stored, and the retry trains the others."""
    cells = small_cells()
    train_cells = training.train_cells

    def failing(*arguments):
        yield from itertools.islice(train_cells(*arguments), 3)
        raise MemoryError("in the middle")

    with monkeypatch.context() as patch:
        patch.setattr(training, "train_cells", failing)
        with pytest.raises(MemoryError, match="in the middle"):
            job.run(cells)
    assert not job.output.exists()
    assert len(list(store.inventory(job.store))) == 3
    pack, trained = job.run(cells)
    assert trained == 1
    assert (pack["status"] == "converged").all()


def test_cells_are_safe_soon_after_they_finish(job, monkeypatch):
    """In a job of minutes finished cells are written as it goes: a kill -9 loses the last ones."""
    clock = itertools.count(step=30)
    monkeypatch.setattr(training_job, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    safe = []
    train_cells = training.train_cells

    def watching(*arguments):
        for done in train_cells(*arguments):
            safe.append(len(list(store.inventory(job.store))))
            yield done

    monkeypatch.setattr(training, "train_cells", watching)
    job.run(small_cells(seeds=4))
    assert safe[0] == 0
    assert all(cells - stored <= 3 for cells, stored in enumerate(safe))


def test_other_data_are_other_cells(job):
    """The same recipe with another value in its arrays trains again, and only the split that changed."""
    cells = small_cells()
    first, _ = job.run(cells)
    changed = prepared(job.folder / "changed.nc", splits=range(4))
    with xr.open_dataset(changed, engine="netcdf4") as data:
        data = data.load()
    data["y_train"][1, 0, 0] += 1
    data["digest"][1] = "0" * 64
    data.to_netcdf(changed, engine="netcdf4")
    second, trained = job.run(cells, changed)
    assert trained == 2
    same = first["key"].values == second["key"].values
    assert same.tolist() == [True, False, True, False]


@pytest.mark.parametrize(("any_code", "retrained"), [(False, 4), (True, 0)])
def test_other_code_retrains_unless_told_not_to(job, monkeypatch, any_code, retrained):
    """`reuse: any_code` accepts what older code trained, and the pack says which code that was."""
    first, _ = job.run(small_cells())
    monkeypatch.setattr(training_job, "cell_fingerprint", lambda cell: "f" * 16)
    second, trained = job.run(small_cells(), reuse="any_code" if any_code else "same_code")
    assert trained == retrained
    assert (set(second["code"].values) == {"f" * 16}) is (not any_code)
    assert (set(second["code"].values) == set(first["code"].values)) is any_code


def test_other_versions_of_libraries_retrain_only_where_the_same_are_asked_for(job, monkeypatch):
    """The pack says which versions trained each cell."""
    with monkeypatch.context() as then:
        then.setattr(store, "library_versions", lambda: "numpy 1.0, torch 1.0")
        first, _ = job.run(small_cells(seeds=1))
    second, trained = job.run(small_cells())
    assert trained == 2
    assert sorted(second["versions"].values) == ["numpy 1.0, torch 1.0"] * 2 + [library_versions()] * 2
    third, trained = job.run(small_cells(), reuse="same_versions")
    assert trained == 2
    assert set(third["versions"].values) == {library_versions()}
    assert set(first["key"].values) < set(third["key"].values), "versions are no part of a key"


def test_a_diverged_cell_is_a_result(job):
    """It is stored like any other: neither an error nor trained again."""
    cells = small_cells(optimizer={"name": "gd", "lr": 1e4})
    pack, _ = job.run(cells)
    assert set(pack["status"].values) == {"diverged"}
    assert pack["test"].isnull().all()
    assert job.run(cells)[1] == 0


def test_nothing_recorded_is_no_obstacle(job):
    """No residual levels and one declared step: empty dimensions survive store and pack."""
    cells = small_cells(record={"residuals": [], "steps": [0]})
    pack, _ = job.run(cells)
    assert pack.sizes["level"] == 0
    assert job.run(cells)[1] == 0
    assert np.isfinite(pack["loss"]).all()


def test_a_gpu_that_is_not_there_stops_the_job(job, monkeypatch):
    """`device: cuda` on a node without one fails before any training, and says what to ask for."""
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    cells = small_cells()
    data = files_of(cells, prepared(job.folder / "data.nc", range(2)))
    with pytest.raises(RuntimeError, match="sees no GPU"):
        training_job.train_pack(cells, data, job.store, job.output, "cuda", "same_code")
    assert not job.output.exists()


def test_too_little_device_memory_is_told_with_the_plans_estimate(job, monkeypatch):
    """And with the option by which packs are cut."""
    cells = small_cells()

    def no_room(*_):
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(training, "train", no_room)
    estimate = 2 * cell_cost(cells[0]).memory_mb
    wanted = rf"2 networks do not fit .* estimate for them: {estimate:.0f} MB.* execution\.device_memory_gb"
    with pytest.raises(RuntimeError, match=wanted):
        job.run(cells)


def test_the_pack_says_what_trained_it(job):
    """`auto` takes what there is."""
    pack, _ = job.run(small_cells())
    assert (pack["device"] == "cpu").all()


def test_the_journal_says_where_each_shard_was_trained(job):
    """A line per shard; cells that the store had are nobody's work; a torn line is passed over."""
    cells = small_cells()
    job.run(cells[:2])
    job.run(cells)
    job.run(cells)
    with job.journal.open("a") as journal:
        journal.write('{"cells": ')
    first, second = entries(job.journal)
    assert (first["cells"], second["cells"]) == (2, 2)
    assert {entry["shard"] for entry in (first, second)} == {
        f"{path.parent.name}/{path.name}" for path in job.store.glob("*/*.nc")
    }
    assert first["device"] == processor()
    assert first["seconds"] > 0
