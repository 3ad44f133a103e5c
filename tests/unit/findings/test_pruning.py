"""Which stored cells nobody uses, and moving them aside."""

import copy
import json

import pytest
from tests.unit.house import CELLS, MAIN, STUDY, House, counts

from minima import store
from minima.findings.forecast import forecast
from minima.findings.pruning import prune, unused_shards
from minima.findings.records import used_keys


def test_cells_of_this_config_are_in_use_without_a_record(house):
    """A run that was killed before its record has trained them all the same."""
    plan = house.plan()
    house.fill(plan)
    assert unused_shards(plan) == []
    assert "Every stored cell is in use." in prune(plan)


def test_cells_of_studies_that_do_not_run_now_are_in_use(house):
    """`run: [other]` beside an interrupted run of another study: what it has finished is not pruned."""
    house.fill(house.plan())
    house.raw["studies"]["other"] = copy.deepcopy(STUDY)
    house.raw["studies"]["other"]["blocks"].pop("main")
    assert unused_shards(house.plan(run=["other"])) == []


def test_cells_of_a_recorded_config_are_in_use(house):
    """Another config that was carried to its dataset keeps its cells, until its record is deleted."""
    other = house.plan((*MAIN, "stop"), {"max_steps": 60})
    house.fill(other)
    plan = house.plan()
    shards = house.fill(plan)
    record = house.record(other)
    assert set(used_keys(record.parent)) == {record.stem}
    assert unused_shards(plan) == []
    record.unlink()
    unused = unused_shards(plan)
    assert {shard.cells for shard in unused} == {4}
    assert {shard.path for shard in unused} & {*shards} == set()
    assert len(unused) == 2  # main's two widths; momentum's cells are in both configs


def test_exactly_the_shards_without_a_used_cell_are_listed(house):
    """One cell in use keeps its shard whole: shards are immutable."""
    plan = house.plan()
    cells = [cell for cell in plan.cells.values() if cell["network"]["width"] == 16]
    older = house.fill(plan, cells[:3], code="older", modules={"minima.training.cells": "old"})
    (used,) = house.identities([cells[3]])
    unused = store.Identity(cells[0].digest, cells[0].json, "data", "older")
    rows = [(identity, {"status": "converged", "steps": 1}) for identity in (used, unused)]
    store.write(house.folder / "store", cells[0].group, rows, {"step": [0]}, {})
    (listed,) = unused_shards(plan)
    assert [listed.path] == older
    assert listed.cells == 3
    assert listed.megabytes == pytest.approx(older[0].stat().st_size / 1e6)


def test_older_code_is_in_use_where_any_code_serves(house):
    """`reuse: any_code` would take those cells: pruning them would train them again."""
    house.fill(house.plan(), code="older")
    assert sum(shard.cells for shard in unused_shards(house.plan())) == CELLS
    assert unused_shards(house.plan(reuse="any_code")) == []


def test_cells_of_other_versions_are_in_use_unless_the_same_are_asked_for(house, monkeypatch):
    with monkeypatch.context() as then:
        then.setattr(store, "library_versions", lambda: "numpy 1.0, torch 1.0")
        house.fill(house.plan())
    assert unused_shards(house.plan()) == []
    assert sum(shard.cells for shard in unused_shards(house.plan(reuse="same_versions"))) == CELLS


def test_prune_lists_and_moves_nothing(house):
    """The default tells what is there, by shard, and how to go on."""
    plan = house.plan()
    house.fill(house.plan((*MAIN, "stop"), {"max_steps": 60}))
    record = house.record(plan)
    before = sorted(house.folder.rglob("*"))
    text = prune(plan)
    assert sorted(house.folder.rglob("*")) == before
    assert f"Records of use in {house.folder}/records: {record.stem}" in text
    assert "8 cells in 2 shards" in text
    for shard in unused_shards(plan):
        assert f"  {shard.path}: 4 cells" in text
    assert "To move them aside: snakemake --cores 1 prune --config prune=move" in text


@pytest.mark.parametrize("name", ["results", "my results"])
def test_prune_moves_aside_and_prints_the_command_that_deletes(tmp_path, name):
    """Unused shards stand in a folder of their own, whole; the command is safe to paste, blanks or not."""
    house = House(tmp_path / name)
    plan = house.plan(prune="move")
    kept = house.fill(plan)
    gone = [
        shard
        for shard in house.fill(house.plan((*MAIN, "stop"), {"max_steps": 60}))
        if shard not in kept  # momentum's cells are the same in both
    ]
    contents = {path: path.read_bytes() for path in [*kept, *gone]}
    text = prune(plan)
    aside = house.folder / "store_pruned"
    for path in gone:
        assert not path.exists()
        assert (aside / path.parent.name / path.name).read_bytes() == contents[path]
    for path in kept:
        assert path.read_bytes() == contents[path]
    assert counts(forecast(plan)) == (CELLS, 0, 0)
    quoted = f"'{aside}'" if " " in name else str(aside)
    assert text.endswith(f"To delete them: rm -r {quoted}")
    assert "Every stored cell is in use." in prune(plan)


def test_moved_shards_can_be_moved_back(house):
    """They are the store's own files: put back, they are cached again."""
    old = house.plan((*MAIN, "stop"), {"max_steps": 60})
    house.fill(old)
    prune(house.plan(prune="move"))
    assert counts(forecast(old)) == (4, 8, 0)
    (house.folder / "store_pruned").rename(house.folder / "back")
    for shard in (house.folder / "back").glob("*/*.nc"):
        target = house.folder / "store" / shard.parent.name / shard.name
        target.parent.mkdir(exist_ok=True)
        shard.rename(target)
    assert counts(forecast(old)) == (CELLS, 0, 0)


def test_what_is_no_shard_is_never_moved(house):
    """Foreign and unreadable files stay where they are."""
    shard, *_ = house.fill(house.plan())
    foreign = [shard.with_name("notes.txt"), shard.with_name("torn.nc"), shard.with_name(".x.nc.tmp")]
    for path in foreign:
        path.write_text("not a shard")
    plan = house.plan((*MAIN, "stop"), {"max_steps": 60}, prune="move")
    prune(plan)
    assert all(path.exists() for path in foreign)


def test_a_record_says_who_uses_which_cells(house):
    """Study, config and keys, under a name that changes with the config; written again it is the same."""
    plan = house.plan()
    path = house.record(plan)
    content = json.loads(path.read_text())
    assert path.name == f"toys_{plan.stamps.study('toys')}.json"
    assert content["study"] == "toys"
    assert set(content["config"]) == {"data", "studies"}
    assert content["keys"] == sorted(house.keys(plan.cells.values()))
    before = path.read_bytes()
    assert house.record(plan) == path
    assert path.read_bytes() == before
    other = house.record(house.plan((*MAIN, "stop"), {"max_steps": 60}))
    assert other != path
    assert len(used_keys(path.parent)) == 2
