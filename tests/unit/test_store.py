"""The cell store: what was written is found, what is damaged is passed over, and nothing is lost."""

import errno
import json
import logging
from types import SimpleNamespace

import netCDF4
import numpy as np
import pytest
import xarray as xr

from minima import store
from minima.netcdf import write_atomically
from minima.plan.digest import bits, digest
from minima.plan.versions import library_versions
from minima.store import Identity

COORDINATES = {"step": [0, 1, 10], "level": [0.1]}
MODULES = {"minima.training.cells": "abc"}


def identity(cell, code="today", data="digits"):
    return Identity(cell, json.dumps({"name": cell}), data, code)


def results(number):
    return {
        "status": "converged" if number < 5 else "stopped",
        "steps": number,
        "loss": np.array([1.0, 0.5, number]),
        "residual_steps": np.array([number]),
        "test": np.full((4, 1), number / 3),
    }


def write(folder, numbers, code="today", data="digits", group="g"):
    cells = [(identity(f"ce{number}", code, data), results(number)) for number in numbers]
    return store.write(folder, group, cells, COORDINATES, MODULES)


def wanted(*numbers, code="today", data="digits"):
    return {f"ce{number}": identity(f"ce{number}", code, data) for number in numbers}


def find(folder, wanted, reuse="same_code"):
    """Those of the wanted cells that the store has, in the order in which they are wanted; None if none."""
    found = store.look_up(folder, "g", wanted, reuse)
    return store.read([found[cell] for cell in wanted if cell in found]) if found else None


def test_what_is_written_is_found_in_the_order_that_is_asked_for(tmp_path):
    write(tmp_path, [7, 1])
    write(tmp_path, [4])
    found = find(tmp_path, wanted(1, 4, 9, 7))
    assert found["cell"].values.tolist() == ["ce1", "ce4", "ce7"]
    for row, number in enumerate((1, 4, 7)):
        for name, value in results(number).items():
            np.testing.assert_array_equal(found[name].values[row], value)
    assert found["step"].values.tolist() == COORDINATES["step"]
    assert found["key"].values.tolist() == [identity(f"ce{number}").key for number in (1, 4, 7)]
    assert found["loss"].attrs["long_name"]


def test_nothing_is_found_in_an_empty_store_or_another_group(tmp_path):
    assert find(tmp_path / "none", wanted(1)) is None
    write(tmp_path, [1], group="other")
    assert find(tmp_path, wanted(1)) is None


@pytest.mark.parametrize("change", [{"code": "older"}, {"data": "other digits"}])
def test_a_cell_of_other_code_or_data_is_another_cell(tmp_path, change):
    write(tmp_path, [1], **change)
    assert find(tmp_path, wanted(1)) is None


def test_any_code_takes_older_cells_but_todays_first(tmp_path):
    for code in ("older", "today", "oldest"):
        write(tmp_path, [1], code=code)
    write(tmp_path, [2], code="older")
    write(tmp_path, [3], code="older", data="other digits")
    found = find(tmp_path, wanted(1, 2, 3), reuse="any_code")
    assert found["cell"].values.tolist() == ["ce1", "ce2"]
    assert found["code"].values.tolist() == ["today", "older"]


def test_any_code_joins_cells_that_store_other_variables(tmp_path):
    """Newer code may write down more."""
    cells = [(identity("ce1", "older"), results(1)), (identity("ce2"), results(2) | {"residual": 0.5})]
    for cell in cells:
        store.write(tmp_path, "g", [cell], COORDINATES, MODULES)
    found = find(tmp_path, wanted(1, 2), reuse="any_code")
    np.testing.assert_array_equal(found["residual"].values, [np.nan, 0.5])


def test_what_only_some_cells_of_a_shard_have_is_missing_in_the_others(tmp_path):
    """In whichever order they come: rates in units of the kernel store its edge, others do not know it."""
    cells = [(identity(f"ce{number}"), results(number)) for number in (1, 2, 3)]
    cells[1][1]["kernel_max"] = 4.5
    store.write(tmp_path, "g", cells, COORDINATES, MODULES)
    found = find(tmp_path, wanted(1, 2, 3))
    np.testing.assert_array_equal(found.kernel_max, [np.nan, 4.5, np.nan])
    np.testing.assert_array_equal(found.steps, [1, 2, 3])


def test_the_same_cell_written_twice_is_found_once(tmp_path):
    """Two jobs that met."""
    write(tmp_path, [1, 2])
    write(tmp_path, [2, 3])
    assert find(tmp_path, wanted(1, 2, 3))["cell"].values.tolist() == ["ce1", "ce2", "ce3"]


def test_a_shard_has_the_same_name_and_bytes_whatever_the_order(tmp_path):
    first, second = write(tmp_path / "a", [3, 1, 2]), write(tmp_path / "b", [2, 3, 1])
    assert first.name == second.name
    assert first.read_bytes() == second.read_bytes()


def foreign(path, modules, **variables):
    xr.Dataset(variables, attrs={"modules": modules}).to_netcdf(path)


def labels(**lengths):
    return {name: (f"row_{name}", np.full(lengths.get(name, 2), "word")) for name in store.LABELS}


def half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(half, id="truncated"),
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
        pytest.param(lambda path: path.write_bytes(b"\x00\xffgarbage" * 99), id="garbage"),
        pytest.param(lambda path: (path.unlink(), path.mkdir()), id="a folder"),
        pytest.param(lambda path: foreign(path, "{}", other=1.0), id="foreign"),
        pytest.param(lambda path: foreign(path, "{}", **dict.fromkeys(store.LABELS, 1.0)), id="numbers"),
        pytest.param(lambda path: foreign(path, "{}", **labels(key=3)), id="columns of two lengths"),
        pytest.param(lambda path: foreign(path, "{", **labels()), id="modules that are no JSON"),
        pytest.param(lambda path: foreign(path, 5, **labels()), id="modules that are no text"),
    ],
)
def test_what_is_no_shard_is_passed_over_with_a_warning_and_kept(tmp_path, caplog, damage):
    write(tmp_path, [2])
    bad = write(tmp_path, [1])
    damage(bad)
    kept = bad.read_bytes() if bad.is_file() else None
    with caplog.at_level(logging.WARNING, "minima"):
        found = find(tmp_path, wanted(1, 2))
    assert found["cell"].values.tolist() == ["ce2"]
    assert f"{bad} is not a readable shard and is passed over" in caplog.text
    assert bad.exists()
    assert kept is None or bad.read_bytes() == kept


def test_a_row_whose_key_does_not_fit_is_passed_over(tmp_path, caplog):
    path = write(tmp_path, [1, 2])
    dataset = xr.load_dataset(path)
    dataset["fields"] = dataset["fields"].copy(data=['{"name": "other"}', dataset["fields"].values[1]])
    dataset.to_netcdf(path)
    assert find(tmp_path, wanted(1, 2))["cell"].values.tolist() == ["ce2"]
    assert "row 0: the key does not fit" in caplog.text


def test_unfinished_files_of_killed_jobs_are_not_looked_at(tmp_path, caplog):
    path = write(tmp_path, [1])
    path.with_name(f".{path.name}.0123.tmp").write_bytes(b"half")
    assert len(list(store.inventory(tmp_path))) == 1
    assert not caplog.text


# Look-ups


def packs(count, cells=4):
    """Digests of the cells of as many packs of one group, which begin with the bits of their pack."""
    depth = (count - 1).bit_length()
    names = (digest(str(number)) for number in range(100 * count * cells))
    found = {f"{pack:0{depth}b}": [] for pack in range(count)}
    for name in names:
        mine = found[bits(name)[:depth]]
        if len(mine) < cells:
            mine.append(name)
    return list(found.values())


def write_pack(folder, names):
    return store.write(folder, "g", [(identity(name), results(1)) for name in names], COORDINATES, MODULES)


@pytest.fixture
def opened(monkeypatch):
    """The files whose labels are read."""
    paths = []

    def counting(path):
        paths.append(path)
        return netCDF4.Dataset(path)

    monkeypatch.setattr(store, "netCDF4", SimpleNamespace(Dataset=counting))
    return paths


def test_each_job_opens_the_shards_of_its_own_pack(tmp_path, opened):
    """Twice as many packs are twice as many files to open for all jobs together, and not four times."""
    counts = []
    for count in (8, 16):
        groups = packs(count)
        for names in groups:
            write_pack(tmp_path / str(count), names)
        opened.clear()
        for names in groups:
            found = store.look_up(
                tmp_path / str(count), "g", {n: identity(n) for n in names}, reuse="same_code"
            )
            assert set(found) == set(names)
        counts.append(len(opened))
    assert counts == [8, 16]


def test_cells_are_found_in_the_shards_of_other_packs(tmp_path):
    """Packs are cut anew when a config changes: into halves, out of halves, or a cell at a time."""
    names = [name for pack in packs(4) for name in pack]
    for number, size in enumerate((16, 8, 3, 1)):
        folder = tmp_path / str(number)
        for first in range(0, len(names), size):
            write_pack(folder, names[first : first + size])
        for some in (names, names[:4], names[5:7], names[-1:]):
            wanted = {name: identity(name) for name in some}
            assert set(store.look_up(folder, "g", wanted, "same_code")) == set(some)


# Versions of libraries


def test_versions_are_stored_and_any_serve_unless_the_same_are_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "library_versions", lambda: "numpy 1.0, torch 1.0")
    old = write(tmp_path, [1, 2])
    monkeypatch.setattr(store, "library_versions", lambda: "numpy 2.0, torch 1.0")
    assert set(find(tmp_path, wanted(1, 2))["versions"].values) == {"numpy 1.0, torch 1.0"}
    assert find(tmp_path, wanted(1, 2), reuse="same_versions") is None
    new = write(tmp_path, [1, 2])
    assert old.exists(), "a shard of other versions is another file"
    assert new != old
    for reuse in ("same_versions", "same_code", "any_code"):  # today's first
        assert set(find(tmp_path, wanted(1, 2), reuse)["versions"].values) == {"numpy 2.0, torch 1.0"}


def test_shards_of_before_versions_were_stored_are_read(tmp_path):
    path = write(tmp_path, [1])
    xr.load_dataset(path).drop_vars("versions").to_netcdf(path)
    write(tmp_path, [2])
    found = find(tmp_path, wanted(1, 2))
    assert found["versions"].values.tolist() == ["not recorded", library_versions()]
    assert find(tmp_path, wanted(1), reuse="same_versions") is None


# Writing


def full_disk(dataset, *_, **__):
    """Definitions fit, values do not."""
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "folder" / "x.nc"
    old = xr.Dataset({"x": 1.0})
    write_atomically(old, path)
    monkeypatch.setattr(xr.Dataset, "dump_to_store", full_disk)
    for target in (path, path.with_name("new.nc")):
        with pytest.raises(OSError, match="No space left"):
            write_atomically(xr.Dataset({"x": 2.0}), target)
    monkeypatch.undo()
    assert list(path.parent.iterdir()) == [path]
    xr.testing.assert_identical(xr.load_dataset(path), old)


def test_a_shard_on_a_full_disk_leaves_the_store_as_it_was(tmp_path, monkeypatch):
    write(tmp_path, [1])
    monkeypatch.setattr(xr.Dataset, "dump_to_store", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path, [2])
    monkeypatch.undo()
    assert find(tmp_path, wanted(1, 2))["cell"].values.tolist() == ["ce1"]
    assert len(list((tmp_path / "g").iterdir())) == 1


def test_results_can_be_read_by_who_shares_the_folder(tmp_path):
    """Not private to the user, as temporary files are."""
    path = write(tmp_path, [1])
    (tmp_path / "plain").touch()
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
