"""What a run would train and why, and what the store holds that nobody uses: told before anyone pays."""

import copy
import json

import pytest
from tests.unit.helpers import RECIPE, grid, prepared

from minima import store
from minima.data.files import save, split_digests
from minima.data.prepare import prepare
from minima.findings.forecast import as_json, describe, disk_mb, forecast
from minima.findings.pruning import prune, unused_shards
from minima.findings.records import record_use, used_keys
from minima.jobs.train_pack import identities, train_pack
from minima.plan.cost import cell_cost, job_memory_mb
from minima.plan.fingerprint import code_used, training_modules
from minima.plan.workplan import Plan, data_file

STUDY = {
    "blocks": {
        "main": {
            "data": "toy",
            "axes": {"network.width": [8, 16], "init.scale": [1, 2]},
            "seed": {"start": 0, "count": 2},
            "stop": {"max_steps": 50},
        },
        "momentum": {
            "data": "toy",
            "network": {"width": 8},
            "optimizer": {"name": "heavy_ball", "momentum": 0.5},
            "axes": {"optimizer.lr": [0.1, 0.2]},
            "seed": {"start": 0, "count": 2},
            "stop": {"max_steps": 50},
        },
    }
}
MAIN = ("studies", "toys", "blocks", "main")
MOMENTUM = ("studies", "toys", "blocks", "momentum")
CELLS = 8 + 4


class House:
    """A results folder whose data are prepared and whose store is filled with made-up cells."""

    def __init__(self, folder):
        self.folder = folder
        self.raw = {
            "results": str(folder),
            "claims": None,
            "data": {"toy": dict(RECIPE)},
            "studies": {"toys": copy.deepcopy(STUDY)},
        }
        for file in self.plan().data_files.values():
            save(prepare(file.recipe, file.splits, "."), self.plan().paths.data(file.name))

    def plan(self, at=(), value=None, **changes):
        """The plan of the config, with another value at a path."""
        raw = copy.deepcopy(self.raw) | changes
        if at:
            inside = raw
            for key in at[:-1]:
                inside = inside[key]
            inside[at[-1]] = value
        return Plan(raw)

    def identities(self, cells, data=None):
        digests = split_digests(self.plan().paths.data(data_file(cells[0]).name))
        return list(identities(cells, digests if data is None else dict.fromkeys(digests, data), {}).values())

    def fill(self, plan, cells=None, data=None, code=None, modules=None):
        """One shard of results nobody trained per group; returns the shards."""
        groups = {}
        for cell in plan.cells.values() if cells is None else cells:
            groups.setdefault(cell.group, []).append(cell)
        shards = []
        for group, members in groups.items():
            found = self.identities(members, data)
            found = [store.Identity(i.cell, i.fields, i.data, code or i.code) for i in found]
            used = code_used(training_modules(members[0].values)) | (modules or {})
            rows = [(identity, {"status": "converged", "steps": 1}) for identity in found]
            shards.append(store.write(self.folder / "store", group, rows, {"step": [0]}, used))
        return shards

    def keys(self, cells):
        return [identity.key for cell in cells for identity in self.identities([cell])]

    def record(self, plan, study="toys"):
        return record_use(plan, study, sorted(self.keys(plan.cells.values())))


@pytest.fixture
def house(tmp_path):
    return House(tmp_path / "results")


def counts(found, study="toys"):
    return tuple(found.studies[study][state] for state in ("cached", "new", "changed"))


# The forecast


def test_an_empty_store_has_nothing(house):
    """Every cell is new, and the cost is that of all packs."""
    plan = house.plan()
    found = forecast(plan)
    assert counts(found) == (0, CELLS, 0)
    assert found.jobs == len(plan.packs)
    seconds = sum(pack.cost.seconds for pack in plan.packs.values())
    assert found.hours == pytest.approx(seconds / 3600)
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
    assert (found.jobs, found.hours, found.peak_memory_mb, found.unused) == (0, 0, 0, 0)
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
    assert found.hours == pytest.approx(cell_cost(cells[0]).seconds / 3600)


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
    assert head.split() == ["study", "cached", "new", "changed", "orphaned"]
    assert row.split() == ["toys", "4", "0", "8", "0"]
    assert reason == "    8 changed: stop.max_steps 50 → 60"
    assert cost.startswith("1 training jobs, at most ")
    assert unused.startswith("8 stored cells")
    machine = json.loads(json.dumps(as_json(found), allow_nan=False))
    assert machine["studies"] == {"toys": {"cached": 4, "new": 0, "changed": 8, "orphaned": 0}}
    assert machine["reasons"] == {"toys": {"stop.max_steps 50 → 60": 8}}
    assert (machine["unused"], machine["jobs"]) == (8, 1)
    assert machine["hours"] == found.hours > 0


def test_orphans_are_counted_by_the_study_that_recorded_them(house):
    """Stored, once part of the study's dataset, and of no use now: other fields, or older code."""
    old = house.plan((*MAIN, "stop"), {"max_steps": 60})
    house.fill(old)
    house.record(old)
    plan = house.plan()
    house.fill(plan)
    house.record(plan)
    found = forecast(plan)
    assert as_json(found)["studies"]["toys"] == {"cached": CELLS, "new": 0, "changed": 0, "orphaned": 8}
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
        train_pack(cells[:count], [data], folder / "store", folder / "pack.nc", "cpu", False)
        written = sum(path.stat().st_size for path in folder.rglob("*.nc")) / 1e6
        dataset = (folder / "pack.nc").stat().st_size / 1e6
        assert 0.5 < disk_mb(cells[:count]) / (written + dataset) < 2


def test_a_damaged_shard_is_foretold_as_missing(house):
    """What the job could not read the forecast does not count either."""
    plan = house.plan()
    shard, *_ = house.fill(plan)
    shard.write_bytes(shard.read_bytes()[:100])
    cached, new, changed = counts(forecast(plan))
    assert cached + new == CELLS
    assert new > 0
    assert changed == 0


# Pruning


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
    assert path.name == f"toys_{plan.study_stamp('toys')}.json"
    assert content["study"] == "toys"
    assert set(content["config"]) == {"data", "studies"}
    assert content["keys"] == sorted(house.keys(plan.cells.values()))
    before = path.read_bytes()
    assert house.record(plan) == path
    assert path.read_bytes() == before
    other = house.record(house.plan((*MAIN, "stop"), {"max_steps": 60}))
    assert other != path
    assert len(used_keys(path.parent)) == 2
