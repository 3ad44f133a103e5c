"""A study's dataset: every cell at its place under its labels, with errors anyone can recompute."""

import numpy as np
import pytest
import xarray as xr
from tests.unit.helpers import RECIPE, trained

from minima.data.files import load_split, save
from minima.data.prepare import prepared
from minima.findings import dataset
from minima.findings.dataset import aggregate, write_study
from minima.jobs import pack_file
from minima.jobs.fit_reference import fit_reference
from minima.jobs.train_pack import train_pack
from minima.netcdf import tree_encoding, write_atomically
from minima.plan.files import data_file
from minima.plan.versions import library_versions
from minima.plan.workplan import Plan
from minima.theory.estimators import NTKRegressor
from minima.training.recording import coordinates
from minima.training.start import Arrays

DATA = {
    "toy": RECIPE,
    "pairs": RECIPE | {"split": {"seeds_each": 2}},
    "signs": {"source": "digits", "classes": [3, 8], "train_size": 6, "test_size": 20},
    "classes": {"source": "iris", "train_size": 9, "test_size": 20, "labels": "onehot"},
}
MAIN = {
    "data": "toy",
    "axes": {"network.width": [16, 8], "init.scale": [1, 2]},
    "seed": {"start": 0, "count": 2},
    "stop": {"residual": 0.1, "max_steps": 300},
}


class Study:
    """A study of one block `main`, trained in a folder."""

    def __init__(self, folder, references=None, options=None, **block):
        study = {"title": "Toys", "citation": "Nobody", "blocks": {"main": MAIN | block}}
        study |= {"references": references or {}} | (options or {})
        config = {"results": str(folder), "data": DATA, "studies": {"toys": study}}
        self.plan = Plan(config | {"execution": {"pack_minutes": 0.0025}})  # several packs
        self.data = {}
        for name, file in self.plan.data_files.items():
            self.data[name] = folder / "data" / f"{name}.nc"
            save(prepared(file.recipe, file.splits, "."), self.data[name])
        self.packs = []
        for name, pack in self.plan.packs.items():
            self.packs.append(folder / "packs" / f"{name}.nc")
            data = {file: self.data[file] for file in self.plan.data_of(name)}
            train_pack(pack.cells, data, folder / "store", self.packs[-1], "cpu", "same_code")
        self.references = []
        for name, fit in self.plan.reference_fits.items():
            self.references.append(folder / "references" / f"{name}.nc")
            fit_reference(fit, self.data[fit.data], self.references[-1])
        self.output = folder / "toys" / "dataset.nc"

    @property
    def grid(self):
        return self.plan.blocks_of("toys")["main"]

    def write(self, packs=None):
        write_study(
            self.plan, "toys", packs or self.packs, [*self.data.values()], self.references, self.output
        )
        return xr.open_datatree(self.output, engine="netcdf4").load()

    def aggregate(self, packs):
        data_of = {cell.digest: self.data[data_file(cell).name] for cell in self.grid.cells}
        blocks = self.plan.blocks_of("toys")
        parts = [part for path in packs for part in pack_file.read(path)]
        return aggregate(blocks, parts, data_of, {"title": "Toys"}, 0.05)

    def arrays(self, cell):
        split = load_split(self.data[data_file(cell).name], cell.split)
        return Arrays(*(split[name].values for name in ("x_train", "y_train", "x_test", "y_test")))

    def alone(self):
        """Each cell with its data, and its results when it is trained alone."""
        for cell in self.grid.cells:
            split = self.arrays(cell)
            yield cell, split, trained([cell.values], [split])[0]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return Study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def tree(study):
    assert len(study.packs) == 2
    return study.write()


def test_every_cell_stands_at_its_labels(study, tree):
    """Selected by the values of its axes, a cell has the results it has alone."""
    block = tree["trained/main"].to_dataset()
    assert block.test.dims == ("width", "scale", "seed", "point", "output")
    assert block.width.values.tolist() == [16, 8]
    for cell, _, values in study.alone():
        place = {"width": cell["network"]["width"], "scale": cell["init"]["scale"], "seed": cell["seed"]}
        here = block.sel(place).sel(level=coordinates(cell.values)["level"])
        for name in ("train", "test", "start_test", "loss", "residual_steps", "norm", "learning_rate"):
            np.testing.assert_allclose(here[name], values[name], rtol=1e-9, atol=1e-12, err_msg=name)
        assert here.status == values["status"]
        predicted = tree["predicted/main"].to_dataset().sel(place).sel(predictor="linearized")
        np.testing.assert_allclose(predicted.test, values["linearized_test"], rtol=1e-9, atol=1e-12)


def test_seeds_that_share_their_data_say_so(tmp_path):
    """{seeds_each: 2}: pairs of seeds have the same targets, different networks, and a coordinate."""
    pairs = Study(tmp_path, data="pairs", axes={}, seed={"start": 2, "count": 4})
    block = pairs.write()["trained/main"].to_dataset()
    assert block.split.dims == ("seed",)
    assert block.split.values.tolist() == [1, 1, 2, 2]
    targets, starts = block.target_train.values, block.start_train.values
    assert np.array_equal(targets[0], targets[1])
    assert not np.array_equal(targets[1], targets[2])
    assert not np.array_equal(starts[0], starts[1])


def test_every_cell_says_what_code_and_which_versions_trained_it(tree):
    block = tree["trained/main"].ds
    assert set(block.versions.values.ravel()) == {library_versions()}
    assert all(len(code) == 16 for code in block.code.values.ravel())


def test_where_every_seed_has_its_own_data_nothing_is_said(tree):
    assert "split" not in tree["trained/main"].coords


def test_the_example_of_the_manual_works(tree):
    """`tree["trained/main"].ds.test_mse.sel(...).mean("seed")` is one number per place that is left."""
    found = tree["trained/main"].ds.test_mse.sel(width=8).mean("seed")
    assert found.dims == ("scale",)
    assert np.isfinite(found).all()


def test_squared_errors_are_those_of_the_predictions(study, tree):
    """Mean over points and outputs, of networks and of their limits."""
    for cell, split, values in study.alone():
        place = {"width": cell["network"]["width"], "scale": cell["init"]["scale"], "seed": cell["seed"]}
        here = tree["trained/main"].ds.sel(place)
        for part, y in (("train", split.y_train), ("test", split.y_test)):
            expected = np.mean((values[part] - y) ** 2)
            np.testing.assert_allclose(here[f"{part}_mse"], expected, rtol=1e-9)
        limit = tree["predicted/main"].ds.test_mse.sel(place).sel(predictor="linearized")
        np.testing.assert_allclose(limit, np.mean((values["linearized_test"] - split.y_test) ** 2), rtol=1e-9)
    assert "test_error" not in tree["trained/main"].ds  # real targets have no classes


@pytest.mark.parametrize("data", ["signs", "classes"])
def test_classification_errors_are_those_of_the_predictions(tmp_path, data):
    """Fraction of points in the wrong class: by sign, or by the largest of the outputs."""
    study = Study(tmp_path, data=data, axes={"network.width": [16]}, seed={"start": 0, "count": 3})
    tree = study.write()
    errors = []
    for cell, split, values in study.alone():
        for part, y in (("train", split.y_train), ("test", split.y_test)):
            f = values[part]
            wrong = (f * y < 0)[:, 0] if data == "signs" else f.argmax(1) != y.argmax(1)
            found = tree["trained/main"].ds[f"{part}_error"].sel(width=16, seed=cell["seed"])
            assert found == pytest.approx(wrong.mean(), abs=1e-12)
            errors.append(wrong.mean())
        limit = values["linearized_test"]
        wrong = (limit * split.y_test < 0)[:, 0] if data == "signs" else limit.argmax(1) != y.argmax(1)
        found = tree["predicted/main"].ds.test_error.sel(width=16, seed=cell["seed"], predictor="linearized")
        assert found == pytest.approx(wrong.mean(), abs=1e-12)
    assert 0 < max(errors) < 1
    found = tree["trained/main"].ds.test_error.sel(width=16).mean("seed")
    assert found.dims == ()


def test_each_cell_of_a_block_is_judged_by_its_own_coding(tmp_path):
    """Data sets side by side may have one output or several: signs and classes keep their own rule."""
    study = Study(tmp_path, axes={"data": ["signs", "classes"]}, network={"width": 16})
    block = study.write()["trained/main"].to_dataset()
    for cell, split, values in study.alone():
        name = "signs" if cell["data"]["source"] == "digits" else "classes"
        f, y = values["test"], split.y_test
        wrong = (f * y < 0)[:, 0] if name == "signs" else f.argmax(1) != y.argmax(1)
        here = block.sel(data=name, seed=cell["seed"])
        assert here.test_error == pytest.approx(wrong.mean(), abs=1e-12)
        assert here.test_mse == pytest.approx(np.mean((f - y) ** 2), rel=1e-9)
    assert block.test_error.notnull().all()


def test_large_training_sets_leave_their_errors_and_not_their_predictions(tmp_path, monkeypatch):
    """Those of a confusion set are ten times the rest. One error at a time is as good as all at once."""
    axes = {"data": ["signs", "classes"]}
    study = Study(tmp_path, axes=axes, network={"width": 16})
    whole = study.write()["trained/main"].to_dataset()
    monkeypatch.setattr(dataset, "KEPT_POINTS", 8)  # of 9
    few = study.write()["trained/main"].to_dataset()
    assert {*whole.data_vars} - {*few.data_vars} == {"train", "start_train", "target_train"}
    for name in few.data_vars:
        xr.testing.assert_allclose(few[name], whole[name], rtol=1e-14)
        assert few[name].attrs == whole[name].attrs


def test_missing_cells_are_nan_with_a_status(study, tree):
    """Without a pack its cells are `missing`, NaN in every number; the others stand where they stood."""
    block = study.aggregate(study.packs[:1])["trained/main"].to_dataset()
    missing = block.status == "missing"
    assert missing.sum() == 4
    assert set(block.status.values[~missing].tolist()) <= {"converged", "stopped"}
    whole = tree["trained/main"].to_dataset()
    for name in block.data_vars:
        if name.startswith("target") or block[name].dtype.kind in "UO":
            continue
        numbers = block[name]
        assert numbers.where(missing, drop=True).isnull().all(), name
        np.testing.assert_array_equal(numbers.where(~missing), whole[name].where(~missing), err_msg=name)


@pytest.mark.filterwarnings("error")
def test_diverged_networks_have_no_errors(tmp_path):
    """Their errors are NaN, not 0 and not infinite, so that no mean can contain them by mistake."""
    study = Study(
        tmp_path,
        data="signs",
        axes={"optimizer.lr": {"good": {"relative": 0.5}, "bad": 1e5}},
        optimizer={"name": "gd"},
    )
    block = study.write()["trained/main"].to_dataset()
    assert block.lr.values.tolist() == ["good", "bad"]
    assert (block.status.sel(lr="bad") == "diverged").all()
    for name in ("test_mse", "test_error", "train_mse", "train_error"):
        assert block[name].sel(lr="bad").isnull().all()
        assert block[name].sel(lr="good").notnull().all()


def test_a_train_size_that_varies_leaves_nan(tmp_path):
    """Rows that only some cells have are NaN in the others, in predictions and targets."""
    study = Study(tmp_path, axes={"data.train_size": [5, 8]}, network={"width": 16})
    block = study.write()["trained/main"].to_dataset()
    assert block.sizes["train_point"] == 8
    assert block.train.sel(train_size=5).isnull().sum("train_point").values.ravel().tolist() == [3, 3]
    for cell, split, values in study.alone():
        size = cell["data"]["train_size"]
        here = block.sel(train_size=size, seed=cell["seed"])
        np.testing.assert_allclose(here.train[:size], values["train"], rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(here.target_train[:size], split.y_train)
        np.testing.assert_allclose(here.train_mse, np.mean((values["train"] - split.y_train) ** 2), rtol=1e-9)


def test_a_depth_that_varies_leaves_nan(tmp_path):
    """Layers that only deeper networks have are NaN in the others."""
    study = Study(tmp_path, axes={"network.depth": [2, 3]}, network={"width": 16})
    norm = study.write()["trained/main"].ds.norm
    assert norm.sizes["layer"] == 3
    assert norm.sel(depth=2, layer=2).isnull().all()
    assert norm.sel(depth=3).notnull().all()


def test_references_follow_an_axis_over_the_whole_network(tmp_path):
    """Each depth beside the kernel of its own, also where depth is a part of what the axis sets."""
    depths = {"shallow": 2, "deep": 3}
    networks = {name: {"width": 16, "depth": depth} for name, depth in depths.items()}
    study = Study(tmp_path, references={"ntk": {}}, axes={"network": networks})
    reference = study.write()["reference/main"].ds
    for cell in study.grid.cells:
        data, depth = study.arrays(cell), cell["network"]["depth"]
        expected = NTKRegressor(depth=depth).fit(data.x_train, data.y_train).predict(data.x_test)
        (name,) = (name for name in depths if depths[name] == depth)
        here = reference.test.sel(network=name, seed=cell["seed"], reference="ntk")
        np.testing.assert_allclose(here, expected, atol=1e-9)


def test_draws_of_wide_linear_nets_need_no_kernel_beside_them(tmp_path):
    draws = {"width": [500], "draws": 3}
    study = Study(tmp_path, data="signs", references={"wide_linear": draws}, axes={}, network={"width": 8})
    tree = study.write()
    assert tree["reference/main"].ds.gap_slack.sizes["draw"] == 3
    assert tree["nearest/main"].minimizer.values.tolist() == ["linearized"]


def test_step_grids_that_differ_share_their_axis(tmp_path):
    """Cells recorded on other steps stand at their own steps, NaN at the others'."""
    records = {"few": {"steps": [0, 4, 100]}, "many": {"steps": [0, 2, 4, 6]}}
    study = Study(tmp_path, axes={"record": records}, network={"width": 16})
    loss = study.write()["trained/main"].ds.loss
    assert loss.step.values.tolist() == [0, 2, 4, 6, 100]
    np.testing.assert_allclose(*(loss.sel(record=name, step=[0, 4]) for name in records), rtol=1e-12)
    assert loss.sel(record="few", step=[2, 6]).isnull().all()
    assert loss.sel(record="many", step=100).isnull().all()


@pytest.mark.parametrize("split", ["seed", 3, {"seeds_each": 2}])
def test_every_network_gets_its_nearest_minimizer(tmp_path, split):
    """Among its own predictions and its data's references, recomputed from each cell's own results; with the
    distance between seeds where they share their data."""
    study = Study(
        tmp_path,
        references={"ntk": {"alpha": [0, 1e-3]}, "rbf": {}},
        options={"nearest_within": 0.9},  # so that some of these narrow networks are near to something
        axes={"network.width": [16], "init.scale": [1, 2], "data.split": {"this": split}},
        stop={"residual": 0.1, "max_steps": 200},
    )
    tree = study.write()
    node = tree["nearest/main"].to_dataset().isel(width=0, data_split=0)
    names = ["linearized", "ntk", "ntk alpha=0.001", "rbf"]
    assert node.minimizer.values.tolist() == names
    assert node.nearest.attrs["within"] == 0.9
    for cell, _, values in study.alone():
        here = node.sel(scale=cell["init"]["scale"], seed=cell["seed"])
        references = tree["reference/main"].ds.isel(data_split=0).sel(seed=cell["seed"])
        known = [values["linearized_test"], *references.test.values]
        f = values["test"]
        distances = [np.linalg.norm(f - g) / np.linalg.norm(f) for g in known]
        if values["status"] == "converged":
            np.testing.assert_allclose(here.distance_to, distances, rtol=1e-9)
            first, second = np.argsort(distances)[:2]
            assert here.nearest_distance == pytest.approx(distances[first], rel=1e-9)
            between = min(np.linalg.norm(known[first] - g) for g in known if g is not known[first])
            if distances[first] > 0.9:
                assert here.nearest == "none"
            elif np.linalg.norm(f - known[first]) < between / 2:
                assert here.nearest == names[first]
                assert here.nearest_next == names[second]
                assert here.nearest_lead == pytest.approx(distances[second] - distances[first], rel=1e-9)
            else:
                assert here.nearest == "none" or names[first] in here.nearest.item().split(" or ")
        else:
            assert here.nearest == values["status"]
    assert (tree["trained/main"].ds.status == "converged").any()
    assert ("seed_spread" in node) == (split != "seed")
    if split != "seed":
        pair = tree["trained/main"].ds.isel(width=0, data_split=0, scale=0)
        assert (pair.status == "converged").all()
        first, second = pair.test.values
        norm = np.sqrt((np.sum(first**2) + np.sum(second**2)) / 2)
        np.testing.assert_allclose(node.seed_spread[0], np.linalg.norm(first - second) / norm, rtol=1e-9)


def test_every_variable_says_what_it_is(tmp_path):
    """Each has a long_name and units; the file says what it is and where it comes from."""
    tree = Study(tmp_path, references={"ntk": {}, "rbf": {}}, axes={"init.scheme": ["centred"]}).write()
    for attribute in ("title", "source", "references", "Conventions", "config_digest"):
        assert tree.attrs[attribute], attribute
    for node in ("trained/main", "predicted/main", "reference/main", "nearest/main"):
        for name, variable in tree[node].to_dataset().variables.items():
            assert variable.attrs.get("long_name"), (node, name)
            assert "units" in variable.attrs, (node, name)


def test_the_file_is_the_tree(study, tree, tmp_path):
    """Through netCDF and back nothing changes: values, labels, words or attributes."""
    before = study.aggregate(study.packs)
    write_atomically(before, tmp_path / "tree.nc", encoding=tree_encoding(before))
    after = xr.open_datatree(tmp_path / "tree.nc", engine="netcdf4")
    for node in before.subtree:
        xr.testing.assert_identical(node.to_dataset(), after[node.path].to_dataset())


def test_the_same_cells_give_the_same_bytes(study, tree):
    """The file does not depend on the day, nor on the order in which packs are read."""
    before = study.output.read_bytes()
    study.write()
    assert study.output.read_bytes() == before
    study.write(study.packs[::-1])
    assert study.output.read_bytes() == before
