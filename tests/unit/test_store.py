"""The cell store: what was written is found, what is damaged is passed over, and nothing is lost."""

import errno
import json
import logging

import numpy as np
import pytest
import xarray as xr

from minima import store
from minima.netcdf import write_atomically
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
    cells = [(identity(f"cell{number}", code, data), results(number)) for number in numbers]
    return store.write(folder, group, cells, COORDINATES, MODULES)


def wanted(*numbers, code="today", data="digits"):
    return {f"cell{number}": identity(f"cell{number}", code, data) for number in numbers}


def test_what_is_written_is_found_in_the_order_that_is_asked_for(tmp_path):
    write(tmp_path, [7, 1])
    write(tmp_path, [4])
    found = store.find(tmp_path, "g", wanted(1, 4, 9, 7))
    assert found["cell"].values.tolist() == ["cell1", "cell4", "cell7"]
    for row, number in enumerate((1, 4, 7)):
        for name, value in results(number).items():
            np.testing.assert_array_equal(found[name].values[row], value)
    assert found["step"].values.tolist() == COORDINATES["step"]
    assert found["key"].values.tolist() == [identity(f"cell{number}").key for number in (1, 4, 7)]
    assert found["loss"].attrs["long_name"]


def test_nothing_is_found_in_an_empty_store_or_another_group(tmp_path):
    assert store.find(tmp_path / "none", "g", wanted(1)) is None
    write(tmp_path, [1], group="other")
    assert store.find(tmp_path, "g", wanted(1)) is None


@pytest.mark.parametrize("change", [{"code": "older"}, {"data": "other digits"}])
def test_a_cell_of_other_code_or_data_is_another_cell(tmp_path, change):
    write(tmp_path, [1], **change)
    assert store.find(tmp_path, "g", wanted(1)) is None


def test_any_code_takes_older_cells_but_todays_first(tmp_path):
    for code in ("older", "today", "oldest"):
        write(tmp_path, [1], code=code)
    write(tmp_path, [2], code="older")
    write(tmp_path, [3], code="older", data="other digits")
    found = store.find(tmp_path, "g", wanted(1, 2, 3), any_code=True)
    assert found["cell"].values.tolist() == ["cell1", "cell2"]
    assert found["code"].values.tolist() == ["today", "older"]


def test_any_code_joins_cells_that_store_other_variables(tmp_path):
    """Newer code may write down more."""
    cells = [(identity("cell1", "older"), results(1)), (identity("cell2"), results(2) | {"residual": 0.5})]
    for cell in cells:
        store.write(tmp_path, "g", [cell], COORDINATES, MODULES)
    found = store.find(tmp_path, "g", wanted(1, 2), any_code=True)
    np.testing.assert_array_equal(found["residual"].values, [np.nan, 0.5])


def test_the_same_cell_written_twice_is_found_once(tmp_path):
    """Two jobs that met."""
    write(tmp_path, [1, 2])
    write(tmp_path, [2, 3])
    assert store.find(tmp_path, "g", wanted(1, 2, 3))["cell"].values.tolist() == ["cell1", "cell2", "cell3"]


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
        found = store.find(tmp_path, "g", wanted(1, 2))
    assert found["cell"].values.tolist() == ["cell2"]
    assert f"{bad} is not a readable shard and is passed over" in caplog.text
    assert bad.exists()
    assert kept is None or bad.read_bytes() == kept


def test_a_row_whose_key_does_not_fit_is_passed_over(tmp_path, caplog):
    path = write(tmp_path, [1, 2])
    dataset = xr.load_dataset(path)
    dataset["fields"] = dataset["fields"].copy(data=['{"name": "other"}', dataset["fields"].values[1]])
    dataset.to_netcdf(path)
    assert store.find(tmp_path, "g", wanted(1, 2))["cell"].values.tolist() == ["cell2"]
    assert "row 0: the key does not fit" in caplog.text


def test_unfinished_files_of_killed_jobs_are_not_looked_at(tmp_path, caplog):
    path = write(tmp_path, [1])
    path.with_name(f".{path.name}.0123.tmp").write_bytes(b"half")
    assert len(list(store.inventory(tmp_path))) == 1
    assert not caplog.text


# Writing


def full_disk(self, path, **_):
    path.write_bytes(b"the first half")
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "folder" / "x.nc"
    old = xr.Dataset({"x": 1.0})
    write_atomically(old, path)
    monkeypatch.setattr(xr.Dataset, "to_netcdf", full_disk)
    for target in (path, path.with_name("new.nc")):
        with pytest.raises(OSError, match="No space left"):
            write_atomically(xr.Dataset({"x": 2.0}), target)
    monkeypatch.undo()
    assert list(path.parent.iterdir()) == [path]
    xr.testing.assert_identical(xr.load_dataset(path), old)


def test_a_shard_on_a_full_disk_leaves_the_store_as_it_was(tmp_path, monkeypatch):
    write(tmp_path, [1])
    monkeypatch.setattr(xr.Dataset, "to_netcdf", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path, [2])
    monkeypatch.undo()
    assert store.find(tmp_path, "g", wanted(1, 2))["cell"].values.tolist() == ["cell1"]
    assert len(list((tmp_path / "g").iterdir())) == 1


def test_results_can_be_read_by_who_shares_the_folder(tmp_path):
    """Not private to the user, as temporary files are."""
    path = write(tmp_path, [1])
    (tmp_path / "plain").touch()
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
