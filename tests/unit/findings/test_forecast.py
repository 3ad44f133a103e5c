"""What a run would train and why, and what the store holds that nobody uses: told before anyone pays."""

import json

import pytest
from tests.unit.helpers import files_of, grid, prepared
from tests.unit.house import CELLS, MAIN, MOMENTUM, STUDY, counts

from minima import store
from minima.findings.forecast import Price, as_json, describe, disk_mb, forecast
from minima.jobs.train_pack import train_pack
from minima.plan.cost import at_most, cell_cost, job_memory_mb
from minima.plan.versions import library_versions


def test_an_empty_store_has_nothing(house):
    """Every cell is new, and the cost is that of all packs."""
    plan = house.plan()
    found = forecast(plan)
    assert counts(found) == (0, CELLS, 0)
    assert found.jobs == len(plan.packs)
    seconds = sum(pack.cost.seconds for pack in plan.packs.values())
    assert found.price.expected_seconds == pytest.approx(seconds)
    most = sum(pack.at_most.seconds for pack in plan.packs.values())
    assert found.price.at_most_seconds == pytest.approx(most)
    assert found.peak_memory_mb == max(job_memory_mb(pack.cost) for pack in plan.packs.values())
    assert not found.reasons["toys"]
    assert found.unused == 0


def test_a_full_store_has_everything(house):
    """Nothing to train, nothing to pay, nothing unused; and the store is read, not written."""
    plan = house.plan()
    house.fill(plan)
    before = {path: path.stat().st_mtime_ns for path in house.folder.rglob("*")}
    found = forecast(plan)
    assert counts(found) == (CELLS, 0, 0)
    assert (found.jobs, found.price, found.peak_memory_mb, found.unused) == (0, Price(), 0, 0)
    assert "Nothing to train." in describe(found)
    assert {path: path.stat().st_mtime_ns for path in house.folder.rglob("*")} == before


def test_only_what_is_missing_is_paid_for(house):
    """Of a pack half of whose cells are stored, the other half is the cost."""
    plan = house.plan()
    cells = list(plan.cells.values())
    house.fill(plan, cells[1:])
    found = forecast(plan)
    assert counts(found) == (CELLS - 1, 1, 0)
    assert found.jobs == 1
    assert found.price.at_most_seconds == pytest.approx(cell_cost(cells[0], at_most).seconds)


def test_before_the_data_are_prepared_stored_cells_count(house):
    """Their data are taken to come out as they were: a fresh clone with an old store is not all new."""
    plan = house.plan()
    house.fill(plan)
    for name in plan.data_files:
        (house.folder / "data" / f"{name}.nc").unlink()
    assert counts(forecast(plan)) == (CELLS, 0, 0)


@pytest.mark.parametrize(
    ("at", "value", "changed", "reason"),
    [
        ((*MAIN, "axes", "network.width"), [8, 12], 4, "network.width 16 → 12"),
        ((*MAIN, "axes", "init.scale"), [1, 2.5], 4, "init.scale 2.0 → 2.5"),
        ((*MAIN, "stop"), {"max_steps": 60}, 8, "stop.max_steps 50 → 60"),
        ((*MAIN, "dtype"), "float32", 8, 'dtype "float64" → "float32"'),
        ((*MAIN, "predict"), [], 8, 'predict ["linearized"] → []'),
        ((*MOMENTUM, "optimizer", "momentum"), 0.6, 4, "optimizer.momentum 0.5 → 0.6"),
        ((*MOMENTUM, "axes", "optimizer.lr"), [0.1, 0.3], 2, "optimizer.lr 0.2 → 0.3"),
        ((*MAIN, "seed"), {"start": 0, "count": 1}, 0, None),
        (("data", "toy", "train_size"), 7, CELLS, "data.train_size 8 → 7"),
    ],
)
def test_a_field_that_changed_is_named(house, at, value, changed, reason):
    """`section.field old → new`, of the cells that another value makes; the others stay cached."""
    house.fill(house.plan())
    plan = house.plan(at, value)
    found = forecast(plan)
    assert counts(found) == (len(plan.cells) - changed, 0, changed)
    assert dict(found.reasons["toys"]) == ({reason: changed} if reason else {})
    assert found.unused == CELLS - len(plan.cells) + changed


@pytest.mark.parametrize(
    ("at", "value", "new"),
    [
        ((*MAIN, "seed"), {"start": 0, "count": 3}, 4),
        ((*MAIN, "axes", "network.width"), [8, 12, 16], 4),
        ((*MAIN, "axes", "init.scale"), [1, 2, 3], 4),
        (("studies", "toys", "blocks", "more"), {"data": "toy", "seed": 0}, 1),
    ],
)
def test_what_is_added_is_new(house, at, value, new):
    """A seed, a width, a scale, a block: where no stored cell went out of use, nothing `changed`."""
    house.fill(house.plan())
    found = forecast(house.plan(at, value))
    assert counts(found) == (CELLS, new, 0)
    assert found.unused == 0


def test_two_changes_at_once_are_new(house):
    """No one field explains the cell; saying otherwise would mislead."""
    house.fill(house.plan())
    plan = house.plan((*MAIN, "stop"), {"max_steps": 60, "residual": 0.1})
    assert counts(forecast(plan)) == (CELLS - 8, 8, 0)


def test_a_change_of_the_data_is_named(house):
    """Stored for other arrays: the split whose values changed, and no other."""
    plan = house.plan()
    split = [cell for cell in plan.cells.values() if cell.split == 1]
    house.fill(plan, [cell for cell in plan.cells.values() if cell.split == 0])
    house.fill(plan, split, data="as it was")
    found = forecast(plan)
    assert counts(found) == (CELLS - len(split), 0, len(split))
    assert dict(found.reasons["toys"]) == {"data: sphere_teacher, split 1": len(split)}


def test_a_change_of_the_code_is_named(house):
    """The modules that differ from those behind the stored cell: changed, gone and new."""
    plan = house.plan()
    heavy = [cell for cell in plan.cells.values() if cell["optimizer"]["name"] == "heavy_ball"]
    plain = [cell for cell in plan.cells.values() if cell not in heavy]
    house.fill(plan, plain)
    older = {"minima.engine.optimizers.heavy_ball": "old", "minima.engine.gone": "old"}
    house.fill(plan, heavy, code="older", modules=older)
    found = forecast(plan)
    assert counts(found) == (8, 0, 4)
    assert dict(found.reasons["toys"]) == {
        "code: minima.engine.gone, minima.engine.optimizers.heavy_ball": 4,
    }
    assert found.unused == 4, "the older ones are of no more use"


def test_any_code_takes_what_older_code_trained(house):
    plan = house.plan(reuse="any_code")
    house.fill(plan, code="older")
    assert counts(forecast(plan)) == (CELLS, 0, 0)
    house.fill(house.plan(), data="as it was", code="oldest")
    assert counts(forecast(plan)) == (CELLS, 0, 0)


def test_any_code_does_not_take_other_data(house):
    plan = house.plan(reuse="any_code")
    house.fill(plan, data="as it was")
    assert counts(forecast(plan)) == (0, 0, CELLS)


def test_cells_that_other_versions_trained_are_counted_and_trained_again_where_the_same_are_asked_for(
    house, monkeypatch
):
    plan, strict = house.plan(), house.plan(reuse="same_versions")
    with monkeypatch.context() as then:
        then.setattr(store, "library_versions", lambda: "numpy 1.0, torch 1.0")
        house.fill(plan)
    found = forecast(plan)
    assert counts(found) == (CELLS, 0, 0)
    assert found.other_versions == {"numpy 1.0, torch 1.0": CELLS}
    assert f"{CELLS} of the cached cells were trained by numpy 1.0, torch 1.0, not by" in describe(found)
    found = forecast(strict)
    assert counts(found) == (0, 0, CELLS)
    assert found.reasons["toys"] == {f"versions: numpy 1.0, torch 1.0 → {library_versions()}": CELLS}
    house.fill(plan)
    for each in (plan, strict):
        assert counts(forecast(each)) == (CELLS, 0, 0)
        assert not forecast(each).other_versions


def test_unused_cells_are_counted(house):
    """Stored, but not asked for by this config: also what only a study that does not run asks for."""
    house.fill(house.plan())
    del house.raw["studies"]["toys"]["blocks"]["momentum"]
    found = forecast(house.plan())
    assert counts(found) == (8, 0, 0)
    assert found.unused == 4
    assert "4 stored cells are not used by this config (snakemake --cores 1 prune)" in describe(found)


def test_a_cell_of_two_blocks_is_counted_once(house):
    """It is trained once: a study's counts add up to its networks. Another study's count has it too."""
    again = {key: value for key, value in STUDY["blocks"]["main"].items() if key != "axes"}
    again |= {"network": {"width": 16}}
    house.raw["studies"]["toys"]["blocks"]["again"] = again
    house.raw["studies"]["second"] = {"blocks": {"again": again}}
    plan = house.plan()
    assert len(plan.cells) == CELLS
    found = forecast(plan)
    assert counts(found) == (0, CELLS, 0)
    assert counts(found, "second") == (0, 2, 0)


def test_only_studies_that_run_are_foretold(house):
    house.raw["studies"]["second"] = {"blocks": {"main": STUDY["blocks"]["momentum"]}}
    found = forecast(house.plan(run=["second"]))
    assert list(found.studies) == ["second"]
    assert counts(found, "second") == (0, 4, 0)


def test_what_is_foretold_is_said(house):
    """The table for people has the counts, the reasons and the cost; the one for machines is JSON."""
    house.fill(house.plan())
    plan = house.plan((*MAIN, "stop"), {"max_steps": 60})
    found = forecast(plan)
    head, row, reason, cost, unused = describe(found).splitlines()
    assert head.split() == ["study", "cached", "new", "changed", "orphaned", "expected", "at", "most"]
    assert row.split()[:5] == ["toys", "4", "0", "8", "0"]
    assert reason == "    8 changed: stop.max_steps 50 → 60"
    assert cost.startswith("1 training jobs, on one core expected ")
    assert unused.startswith("8 stored cells")
    machine = json.loads(json.dumps(as_json(found), allow_nan=False))
    price = {name: machine[name] for name in ("expected_seconds", "at_most_seconds")}
    assert 0 < price["expected_seconds"] <= price["at_most_seconds"]
    assert machine["studies"] == {"toys": {"cached": 4, "new": 0, "changed": 8, "orphaned": 0} | price}
    assert machine["reasons"] == {"toys": {"stop.max_steps 50 → 60": 8}}
    assert (machine["unused"], machine["jobs"]) == (8, 1)


def test_of_many_changed_modules_people_read_three_and_machines_all(house):
    """A package that moved has changed everywhere: no line of the table is longer for it."""
    modules = [f"minima.engine.module_{number}" for number in range(43)]
    many, few = (f"code: {', '.join(modules[:count])}" for count in (43, 4))
    found = forecast(house.plan())
    found.reasons["toys"] |= {many: 5, few: 2}
    lines = describe(found).splitlines()
    assert f"    5 changed: code: {', '.join(modules[:3])} and 40 more (results/plan.json names all)" in lines
    assert f"    2 changed: {few}" in lines, "four are said as they are"
    assert as_json(found)["reasons"]["toys"] == {many: 5, few: 2}


def test_orphans_are_counted_by_the_study_that_recorded_them(house):
    """Stored, once part of the study's dataset, and of no use now: other fields, or older code."""
    old = house.plan((*MAIN, "stop"), {"max_steps": 60})
    house.fill(old)
    house.record(old)
    plan = house.plan()
    house.fill(plan)
    house.record(plan)
    found = forecast(plan)
    counted = {"cached": CELLS, "new": 0, "changed": 0, "orphaned": 8}
    assert as_json(found)["studies"]["toys"].items() >= counted.items()
    assert found.unused == 8

    (cell, *_) = plan.cells.values()
    house.fill(plan, [cell], code="older", modules={"minima.training.cells": "old"})
    found = forecast(plan)
    assert found.unused == 9
    assert found.studies["toys"]["orphaned"] == 8, "no record names that cell"


def test_the_disk_that_new_cells_take_is_foretold_within_a_factor_of_two(tmp_path):
    """Of a store and packs really written: two cells to a hundred."""
    cells = grid(
        {"init.scale": [1, 2]}, seed={"start": 0, "count": 50}, network={"width": 8}, stop={"max_steps": 1}
    ).cells
    data = prepared(tmp_path / "data.nc", splits=range(50))
    for count in (2, 100):
        folder = tmp_path / str(count)
        train_pack(cells[:count], files_of(cells, data), folder / "store", folder / "pack.nc", "cpu", False)
        written = sum(path.stat().st_size for path in folder.rglob("*.nc")) / 1e6
        dataset = (folder / "pack.nc").stat().st_size / 1e6
        assert 0.5 < disk_mb(cells[:count]) / (written + dataset) < 2


def test_copies_of_the_rows_and_a_plane_take_disk_too(tmp_path):
    """Three copies of 100 rows with random labels, and 60 × 60 points of the plane."""
    recipe = {"source": "moons", "train_size": 100, "test_size": 5, "confusion": {"copies": 3}}
    (cell,) = grid(
        recipe=recipe, network={"width": 8}, stop={"max_steps": 1}, record={"plane": {"side": 60}}
    ).cells
    data = prepared(tmp_path / "data.nc", [0], recipe)
    train_pack([cell], files_of([cell], data), tmp_path / "store", tmp_path / "pack.nc", "cpu", False)
    assert 0.5 < disk_mb([cell]) / (3 * (tmp_path / "pack.nc").stat().st_size / 1e6) < 2


def test_a_damaged_shard_is_foretold_as_missing(house):
    """What the job could not read the forecast does not count either."""
    plan = house.plan()
    shard, *_ = house.fill(plan)
    shard.write_bytes(shard.read_bytes()[:100])
    cached, new, changed = counts(forecast(plan))
    assert cached + new == CELLS
    assert new > 0
    assert changed == 0
