"""What a change costs: exactly the cells that it touches are trained again, counted by the jobs' own logs."""

import ast
import json
import shutil

import netCDF4
import numpy as np
import pytest
import xarray as xr
from harness import CONFIG, DATASET, Workflow, cells_of, write_table

from minima.jobs import pack_file

TRAIN = ("--until", "train_pack")  # datasets and figures follow from the packs and cost seconds
EDITED_FIGURE = """

def retitled(draw):
    def drawn(table):
        figure = draw(table)
        figure.suptitle("edited")
        return figure
    return drawn

draw = retitled(draw)
"""
HEAVY_BALL = "workflow_scripts/minima/engine/optimizers/heavy_ball.py"


def test_a_second_run_has_nothing_to_do(workflow):
    run = workflow.run().succeeded()
    assert "Nothing to be done" in run.output
    assert not run.jobs


# The grid


@pytest.mark.parametrize(
    ("change", "new_cells"),
    [
        pytest.param(lambda main: main["axes"].update({"optimizer.lr": [0.1, 0.07]}), 8, id="learning rate"),
        pytest.param(lambda main: main["seed"].update(count=3), 8, id="one more seed"),
        pytest.param(lambda main: main["axes"]["network.width"].append(4), 8, id="one more width"),
    ],
)
def test_a_change_of_the_grid_trains_its_cells_only(workflow, change, new_cells):
    change(workflow.main)
    run = workflow.run(*TRAIN).succeeded()
    assert run.cells == cells_of(workflow.config) - cells_of(CONFIG)
    assert run.trained == new_cells


def test_cells_that_return_to_the_grid_are_not_trained_again(workflow):
    width = workflow.main["axes"]["network.width"]
    width.remove(8)
    assert workflow.run(DATASET).succeeded().trained == 0
    width.append(8)
    assert workflow.run(DATASET).succeeded().trained == 0
    with xr.open_datatree(workflow.folder / DATASET) as tree:
        assert tree["trained/main"]["width"].values.tolist() == [16, 8]
        assert (tree["trained/main"]["status"] != "missing").all()


# The same config, said otherwise


def turned_round(value):
    """The same with all mappings in reverse order, but the axes, whose order is the dataset's."""
    if not isinstance(value, dict):
        return value
    return {key: v if key == "axes" else turned_round(v) for key, v in reversed(value.items())}


def test_the_order_of_keys_changes_nothing(workflow):
    workflow.config = turned_round(workflow.config)
    assert "Nothing to be done" in workflow.run().succeeded().output


def test_the_same_values_from_the_command_line_change_nothing(workflow):
    """They arrive as strings within nested mappings."""
    studies = json.dumps(workflow.config["studies"])
    run = workflow.run("--config", f"studies={studies}", 'execution={"device": "auto"}').succeeded()
    assert "Nothing to be done" in run.output


def test_defaults_written_out_change_nothing(workflow):
    workflow.main.update(network={"depth": 2, "activation": "relu"}, dtype="float64", init={"scale": 1.0})
    assert "Nothing to be done" in workflow.run().succeeded().output


def test_smaller_packs_train_nothing(workflow):
    """`execution` is no part of a cell: the new packs take their cells from the store."""
    workflow.config["execution"] = {"pack_minutes": 1e-4}
    run = workflow.run(*TRAIN).succeeded()
    assert run.trained == 0
    assert run.jobs["train_pack"] > 5


# The code


def test_an_edited_figure_is_redrawn_and_nothing_else(workflow):
    workflow.append("workflow_scripts/minima/findings/figures/error_vs_scale.py", EDITED_FIGURE)
    before = workflow.files("question/figures/*")
    run = workflow.run().succeeded()
    assert run.jobs["draw_figures"] == 1  # of the study; in it
    assert run.drawn == ["error_vs_scale"]
    assert not {"prepare_data", "train_pack", "aggregate_study"} & set(run.jobs)
    after = workflow.files("question/figures/*")
    assert {name for name in before if before[name] != after[name]} == {
        f"question/figures/error_vs_scale.{kind}" for kind in ("png", "svg")
    }


def test_edited_comments_and_docstrings_start_no_job(workflow):
    for module in ("engine/core.py", "training/cells.py", "engine/models/mlp.py"):
        file = workflow.folder / "workflow_scripts/minima" / module
        words = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")), clean=False)
        said = file.read_text(encoding="utf-8").replace(words, f"Said in other words. {words}", 1)
        file.write_text(f"{said}\n# A remark.\n", encoding="utf-8")
    assert "Nothing to be done" in workflow.run().succeeded().output


def test_an_edited_optimizer_trains_its_cells_again_unless_any_code_will_do(workflow):
    workflow.append(HEAVY_BALL, "\n\nEDITED = True\n")
    other = workflow.copied_to(workflow.folder.with_name("other"))

    run = workflow.run(*TRAIN).succeeded()
    assert run.cells == cells_of(CONFIG, '"name":"heavy_ball"')
    assert run.trained == 8
    assert run.jobs["train_pack"] == 1

    other.main["axes"]["network.width"] = [8, 16, 4]
    other.config["reuse"] = "any_code"
    run = other.run(DATASET).succeeded()
    assert run.cells == cells_of(other.config) - cells_of(CONFIG)
    with xr.open_datatree(other.folder / DATASET) as tree:
        code = tree["trained/main"]["code"].sel(optimizer="heavy")
        old, new = code.sel(width=8), code.sel(width=4)
        assert len({*np.unique(old)}) == len({*np.unique(new)}) == 1
        assert old.values.flat[0] != new.values.flat[0], "the dataset says which code trained a cell"


# The data


def changed_splits(before: Workflow, after: Workflow) -> set[int]:
    def digests(workflow):
        (file,) = (workflow.folder / "results/data").glob("file_*.nc")
        with xr.open_dataset(file) as data:
            return data["digest"].values.tolist(), data["split"].values.tolist()

    (old, splits), (new, _) = digests(before), digests(after)
    return {split for split, a, b in zip(splits, old, new, strict=True) if a != b}


def test_one_value_of_the_users_data_trains_again_what_saw_it(workflow, completed):
    """A row that only one seed's split holds: the digests are of the arrays, not of the file."""
    with np.load(workflow.folder / "table.npz") as table:
        x, y = table["x"], table["y"]
    (file,) = (workflow.folder / "results/data").glob("file_*.nc")
    with xr.open_dataset(file) as data:
        seen = [data.sel(split=seed)[["x_train", "x_test"]].load() for seed in range(3)]
    holds = [{row[0] for row in np.concatenate([s.x_train, s.x_test]).tolist()} for s in seen]
    row = next(i for i, first in enumerate(x[:, 0]) if sum(first in split for split in holds) == 1)
    (seed,) = (seed for seed in range(3) if x[row, 0] in holds[seed])
    x[row, 1] += 1
    write_table(workflow.folder / "table.npz", x, y)

    run = workflow.run(*TRAIN).succeeded()
    assert seed in changed_splits(completed, workflow)
    assert run.cells == cells_of(CONFIG, '"source":"file"', f'"seed":{seed},')
    assert run.trained == 2
    assert run.jobs["train_pack"] == 1


def test_a_touched_data_file_trains_nothing(workflow):
    (workflow.folder / "table.npz").touch()
    assert workflow.run(*TRAIN).succeeded().trained == 0


# The results


def test_a_fresh_copy_gives_the_same_bytes(completed, fresh):
    fresh.run().succeeded()
    for pattern in ("data/*.nc", "packs/*.nc", "question/**/*.*", "records/*", "report.html"):
        assert completed.files(pattern)
        assert fresh.files(pattern) == completed.files(pattern), pattern


def test_deleting_the_store_costs_only_time(workflow, completed):
    results = workflow.folder / "results"
    shutil.rmtree(results / "store")
    assert "Nothing to be done" in workflow.run().succeeded().output
    (pack,) = (results / "packs").glob("file_*.nc")
    pack.unlink()
    (workflow.folder / DATASET).unlink()
    run = workflow.run(DATASET).succeeded()
    assert run.cells == cells_of(CONFIG, '"source":"file"')
    for pattern in ("packs/*.nc", "question/dataset.nc"):
        assert workflow.files(pattern) == completed.files(pattern)


def test_one_network_is_trained_again_by_its_name(workflow):
    """As the report says: from the start, the store left as it is, to what was found before."""
    before = workflow.files("store/*/*.nc")
    (name,) = cells_of(CONFIG, '"width":16', '"lr":0.05', '"seed":1,', '"name":"gd"')
    workflow.run(f"results/again/{name}.nc").succeeded()
    (log,) = workflow.files("logs/train_again/*.log").values()
    assert b"trained 1 cells" in log
    assert workflow.files("store/*/*.nc") == before
    with pack_file.opened(workflow.folder / f"results/again/{name}.nc") as (again,):
        found = again.test.values[0]
    with xr.open_datatree(workflow.folder / DATASET) as tree:
        place = {"width": 16, "optimizer": "plain", "lr": 0.05, "seed": 1}
        np.testing.assert_allclose(found, tree["trained/main"].ds.test.sel(place).values, rtol=1e-10)


def test_results_hold_no_trace_of_time_or_place(completed):
    for name, content in completed.files("**/*.nc").items():
        assert str(completed.folder).encode() not in content, name
    with netCDF4.Dataset(completed.folder / DATASET) as dataset:
        assert not {"history", "date", "created"} & set(dataset.ncattrs())
