"""Prepared data: splits, labels, normalization, embedded and synthetic sources, and its own files."""

import json
import os
import time
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from pydantic import TypeAdapter
from sklearn.datasets import load_digits

from minima.data.files import load_split, load_splits, save
from minima.data.pool import DataError
from minima.data.prepare import prepare, prepared
from minima.data.prepared import ARRAYS, array_digest
from minima.netcdf import write_atomically
from minima.plan import parts
from minima.plan.recipes import DataRecipe

DIGITS = {"source": "digits", "classes": [3, 8], "train_size": 60, "test_size": 40}
TEACHER = {"source": "sphere_teacher", "dimension": 6, "train_size": 30, "test_size": 20}


# What prepare returns


def test_dataset_is_labelled():
    data = prepare(DIGITS, [0, 5], ".")
    assert dict(data.sizes) == {"split": 2, "train": 60, "test": 40, "feature": 64, "output": 1}
    assert data.split.values.tolist() == [0, 5]
    assert {data[name].dtype for name in ARRAYS} == {np.dtype(np.float64)}
    assert all(data[name].attrs["long_name"] for name in data.variables)
    assert {"title", "source", "licence", "source_sha256", "recipe", "Conventions"} == set(data.attrs)
    assert data.x_train.attrs["row_shape"].tolist() == [1, 8, 8]
    assert json.loads(data.attrs["recipe"])["normalize"] == "sphere"  # defaults are filled in


@pytest.mark.parametrize("recipe", [DIGITS, TEACHER], ids=["digits", "teacher"])
def test_a_split_is_the_same_alone_and_among_others(recipe):
    alone, among = prepare(recipe, [5], "."), prepare(recipe, [9, 5, 0], ".")
    xr.testing.assert_identical(alone.sel(split=5), among.sel(split=5))
    assert len(set(among.digest.values.tolist())) == 3


@pytest.mark.parametrize("recipe", [DIGITS, TEACHER], ids=["digits", "teacher"])
def test_train_and_test_rows_do_not_depend_on_each_other_s_size(recipe):
    data = prepare(recipe, [0], ".")
    fewer_test = prepare(recipe | {"test_size": 10}, [0], ".")
    fewer_train = prepare(recipe | {"train_size": 10}, [0], ".")
    np.testing.assert_array_equal(data.x_train, fewer_test.x_train)
    np.testing.assert_array_equal(data.y_test, fewer_train.y_test)
    np.testing.assert_array_equal(data.x_train[:, :10], fewer_train.x_train)
    np.testing.assert_array_equal(data.x_test[:, :10], fewer_test.x_test)


def test_rows_are_reshaped_as_the_recipe_says():
    """The numbers are the same, and so is their digest, by which cells are known."""
    plain, reshaped = prepare(DIGITS, [0], "."), prepare(DIGITS | {"shape": [8, 8]}, [0], ".")
    assert reshaped.x_train.attrs["row_shape"].tolist() == [8, 8]
    np.testing.assert_array_equal(plain.x_train, reshaped.x_train)
    assert plain.digest.item() == reshaped.digest.item()


def test_rows_of_another_size_are_not_reshaped(tmp_path):
    np.savez(tmp_path / "rows.npz", x=np.ones((9, 12)), y=np.arange(9.0))
    recipe = {"source": "file", "path": str(tmp_path / "rows.npz"), "train_size": 4, "test_size": 4}
    assert prepare(recipe | {"shape": [3, 2, 2]}, [0], ".").x_train.attrs["row_shape"].tolist() == [3, 2, 2]
    with pytest.raises(DataError, match=r"shape \[3, 3\] has 9 numbers, and a row has the shape \(12,\)"):
        prepare(recipe | {"shape": [3, 3]}, [0], ".")


def test_rows_are_drawn_without_replacement():
    everything = {
        "source": "digits",
        "classes": [3, 8],
        "train_size": 300,
        "test_size": 57,
        "normalize": "none",
    }
    data = prepare(everything, [0], ".").isel(split=0)
    x, y = parts.options("sources")["digits"].facts, load_digits(return_X_y=True)
    rows = np.concatenate([data.x_train, data.x_test])
    pool = y[0][np.isin(y[1], [3, 8])]
    assert len(rows) == x.class_rows[3] + x.class_rows[8]
    np.testing.assert_array_equal(np.unique(rows, axis=0), np.unique(pool, axis=0))


def test_digest_is_of_the_four_arrays_alone():
    data = prepare(DIGITS, [0], ".").isel(split=0)
    arrays = {name: data[name].values for name in ARRAYS}
    digest = array_digest(arrays)
    assert str(data.digest.item()) == digest
    assert prepare(DIGITS | {"split": 0}, [0], ".").digest.item() == digest
    for name in ARRAYS:
        changed = arrays[name].copy()
        changed[-1, -1] = np.nextafter(changed[-1, -1], 9)
        assert array_digest(arrays | {name: changed}) != digest
    reshaped = arrays["x_train"].reshape(30, 128)
    assert array_digest(arrays | {"x_train": reshaped}) != digest


@pytest.mark.parametrize("splits", [[], [1, 1]])
def test_splits_must_be_different(splits):
    with pytest.raises(DataError, match="different"):
        prepare(DIGITS, splits, ".")


# Labels


def test_sign_coding_follows_the_order_of_classes():
    for classes in ([3, 8], [8, 3]):
        data = prepare(DIGITS | {"classes": classes}, [0], ".")
        np.testing.assert_array_equal(data.y_train[..., 0] < 0, data.label_train == classes[0])
        assert set(np.unique(data.y_train)) == {-1.0, 1.0}


def test_onehot_and_value_coding():
    data = prepare({"source": "wine", "labels": "onehot", "classes": [2, 0, 1], "test_size": 50}, [0], ".")
    np.testing.assert_array_equal(np.array([2, 0, 1])[data.y_train.argmax("output")], data.label_train)
    np.testing.assert_array_equal(data.y_train.sum("output"), 1)
    data = prepare({"source": "wine", "labels": "value", "test_size": 50}, [0], ".")
    np.testing.assert_array_equal(data.y_test[..., 0], data.label_test)


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.9])
def test_label_noise_moves_its_fraction_of_the_training_labels(fraction):
    recipe = {"source": "digits", "labels": "onehot", "train_size": 200}
    clean, noisy = (prepare(recipe | {"label_noise": f}, [0, 1], ".") for f in (0, fraction))
    moved = (clean.label_train != noisy.label_train).values
    assert moved.sum(axis=1).tolist() == [200 * fraction] * 2
    assert (moved[0] != moved[1]).any()
    np.testing.assert_array_equal(clean.x_train, noisy.x_train)
    np.testing.assert_array_equal(clean.y_test, noisy.y_test)
    np.testing.assert_array_equal(noisy.y_train.argmax("output"), noisy.label_train)
    more = prepare(recipe | {"label_noise": 0.95}, [0, 1], ".")
    np.testing.assert_array_equal(more.label_train.values[moved], noisy.label_train.values[moved])


def test_label_noise_respects_the_chosen_classes():
    data = prepare(DIGITS | {"label_noise": 0.5}, [0], ".")
    assert set(np.unique(data.label_train)) == {3, 8}


# Normalization


@pytest.mark.parametrize(("how", "length"), [("unit", 1), ("sphere", 8)])
def test_rows_lie_on_the_sphere(how, length):
    data = prepare(DIGITS | {"normalize": how}, [0], ".")
    for name in ("x_train", "x_test"):
        np.testing.assert_allclose(np.linalg.norm(data[name], axis=-1), length, rtol=1e-14)


def test_standardize_uses_training_rows_and_drops_constant_features():
    raw = prepare(DIGITS | {"normalize": "none"}, [0], ".").isel(split=0)
    data = prepare(DIGITS | {"normalize": "standardize"}, [0], ".").isel(split=0)
    varies = np.ptp(raw.x_train.values, axis=0) > 0
    assert not varies.all()
    assert not data.x_train[:, ~varies].any()
    assert not data.x_test[:, ~varies].any()
    np.testing.assert_allclose(data.x_train.mean("train"), 0, atol=1e-14)
    np.testing.assert_allclose(data.x_train.std("train")[varies], 1)
    expected = (raw.x_test - raw.x_train.mean("train"))[:, varies] / raw.x_train.std("train")[varies]
    np.testing.assert_allclose(data.x_test[:, varies], expected)


@pytest.mark.parametrize(("source", "largest"), [("digits", 16), ("iris", 1)])
def test_centred_rows_have_no_mean_and_test_rows_lose_the_same(source, largest):
    """In units of the source's largest value, where it has one; nothing is done to the spread."""
    recipe = {"source": source, "classes": [0, 1], "train_size": 60, "test_size": 30}
    raw, data = (prepare(recipe | {"normalize": how}, [0], ".").isel(split=0) for how in ("none", "centre"))
    mean = sum(raw.x_train.values) / 60
    for name in ("x_train", "x_test"):
        np.testing.assert_allclose(data[name], (raw[name] - mean) / largest, atol=1e-14)
    np.testing.assert_allclose(data.x_train.mean("train"), 0, atol=1e-14)


def test_a_feature_that_is_the_same_everywhere_is_centred_to_nothing(tmp_path):
    """Although the mean of thirds is no third: its weights have no gradient then, as of a blank pixel."""
    x = np.column_stack([np.full(9, 1 / 3), np.arange(9.0)])
    np.savez(tmp_path / "rows.npz", x=x, y=np.arange(9.0))
    recipe = {"source": "file", "path": str(tmp_path / "rows.npz"), "train_size": 5, "test_size": 4}
    data = prepare(recipe | {"normalize": "centre"}, [0], ".")
    assert not data.x_train[..., 0].any()
    assert data.x_train[..., 1].any()


@pytest.mark.parametrize("source", [{"source": "diabetes"}, {"source": "digits", "labels": "value"}])
def test_standardized_targets_are_in_units_of_the_training_ones(source):
    raw, data = (prepare(source | {"standardize_targets": how}, [0, 1], ".") for how in (False, True))
    np.testing.assert_allclose(data.y_train.mean("train"), 0, atol=1e-14)
    np.testing.assert_allclose(data.y_train.std("train"), 1)
    expected = (raw.y_test - raw.y_train.mean("train")) / raw.y_train.std("train")
    np.testing.assert_allclose(data.y_test, expected)
    np.testing.assert_array_equal(data.x_train, raw.x_train)


# Sources


def load(recipe, folder):
    """The pool of a source."""
    source = import_module(f"minima.data.sources.{recipe['source']}")
    return source.load(TypeAdapter(DataRecipe).validate_python(recipe), folder)


@pytest.mark.parametrize("source", ["digits", "wine", "breast_cancer", "iris", "diabetes"])
def test_facts_of_embedded_sources(source):
    recipe = {"source": source, "labels": "value", "train_size": 50, "test_size": 50}
    pool = load(recipe, Path())
    facts = parts.options("sources")[source].facts
    assert len(pool.x) == len(pool.y)
    assert pool.row_shape == facts.shape
    if facts.class_rows:
        labels, rows = np.unique(pool.y, return_counts=True)
        assert dict(zip(labels.tolist(), rows.tolist(), strict=True)) == facts.class_rows
    else:
        assert facts.rows == len(pool.y)
    assert prepare(recipe, [0], ".").x_test.shape[1] == 50


def test_teacher_is_a_relu_network_on_the_unit_sphere():
    recipe = TEACHER | {"normalize": "none", "teacher_width": 1, "train_size": 500}
    data = prepare(recipe, [0, 1], ".")
    np.testing.assert_allclose(np.linalg.norm(data.x_train, axis=-1), 1)
    first = data.isel(split=0)
    active = first.y_train[:, 0].values != 0
    assert 0.3 < active.mean() < 0.7  # a single unit is off on a half-space, and linear on the other
    x, y = first.x_train.values[active], first.y_train.values[active, 0]
    np.testing.assert_allclose(x @ np.linalg.lstsq(x, y)[0], y, atol=1e-12)
    sphere = prepare(recipe | {"normalize": "sphere"}, [0], ".")
    np.testing.assert_array_equal(sphere.y_train[0], first.y_train)
    np.testing.assert_allclose(np.linalg.norm(sphere.x_train, axis=-1), np.sqrt(6))


def test_teacher_has_targets_of_order_one():
    data = prepare(TEACHER | {"teacher_width": 100}, range(50), ".")
    assert 0.5 < float((data.y_train**2).mean()) < 2


@pytest.mark.parametrize("source", ["mnist", "fashion_mnist"])
def test_real_images(source):
    folder = os.environ.get("MINIMA_DATA_DIR")
    if not folder:
        pytest.skip("MINIMA_DATA_DIR names no folder with the real files")
    recipe = {"source": source, "classes": [3, 8], "train_size": 50, "test_size": 30}
    pool = load(recipe, Path(folder))
    assert pool.x.shape == (60000, 28, 28)
    assert (pool.x.dtype, pool.x.max(), pool.row_shape) == (np.uint8, 255, (1, 28, 28))
    known = parts.options("sources")[source].facts
    for y, facts in ((pool.y, known.class_rows), (pool.test_y, known.test_class_rows)):
        assert dict(enumerate(np.bincount(y).tolist())) == facts
    data = prepare(recipe, [0, 1], folder)
    assert data.x_test.shape == (2, 30, 784)
    files = import_module(f"minima.data.sources.{source}").FILES
    published = {file.name: file.sha256 for file in files.values()}
    assert json.loads(data.attrs["source_sha256"]) == published


# Files of prepared data


def test_saved_file_has_the_same_bytes_later(tmp_path):
    save(prepared(DIGITS, [0, 5], "."), tmp_path / "a.nc")
    time.sleep(1.1)  # a time inside the file would differ
    save(prepared(DIGITS, [0, 5], "."), tmp_path / "b.nc")
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes()


def test_load_split_reads_what_was_saved(tmp_path):
    data = prepare(DIGITS, [0, 5], ".")
    save(prepared(DIGITS, [0, 5], "."), tmp_path / "new" / "a.nc")
    loaded = load_split(tmp_path / "new" / "a.nc", 5)
    xr.testing.assert_equal(loaded, data.sel(split=5))
    assert loaded.attrs == data.attrs
    assert array_digest({name: loaded[name].values for name in ARRAYS}) == loaded.digest.item()


def test_splits_loaded_together_are_those_loaded_alone(tmp_path):
    save(prepared(DIGITS, [0, 2, 5], "."), tmp_path / "a.nc")
    together = load_splits(tmp_path / "a.nc", [5, 0])
    assert list(together) == [5, 0]
    for split, loaded in together.items():
        xr.testing.assert_identical(loaded, load_split(tmp_path / "a.nc", split))
    with pytest.raises(DataError, match=r"a\.nc has no split 3"):
        load_splits(tmp_path / "a.nc", [0, 3])


def test_prepared_file_that_is_missing_short_or_without_the_split(tmp_path):
    path = tmp_path / "a.nc"
    with pytest.raises(DataError, match=r"no prepared data .*a\.nc"):
        load_split(path, 0)
    save(prepared(DIGITS, [0], "."), path)
    with pytest.raises(DataError, match=r"a\.nc has no split 3"):
        load_split(path, 3)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DataError, match=r"a\.nc is damaged"):
        load_split(path, 0)


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "a.nc"
    write_atomically(xr.Dataset({"x": ("row", [1.0])}), path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="unexpected encoding"):
        write_atomically(xr.Dataset({"x": ("row", [2.0])}), path, {"x": {"nonsense": 1}})
    assert [file.name for file in tmp_path.iterdir()] == ["a.nc"]
    assert path.read_bytes() == before


def test_a_tree_is_written_too(tmp_path):
    tree = xr.DataTree.from_dict(
        {"/one": xr.Dataset({"x": ("row", [1.0])}), "/one/two": xr.Dataset({"y": 2})}
    )
    for name in ("a.nc", "b.nc"):
        write_atomically(tree, tmp_path / name, {"/one": {"x": {"zlib": True}}})
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes()
    with xr.open_datatree(tmp_path / "a.nc") as read:
        assert read["one/two/y"].item() == 2


def linear_teacher(**fields):
    recipe = {"source": "linear_teacher", "dimension": 12, "train_size": 5, "test_size": 12, "outputs": 2}
    return prepare(recipe | fields, [0, 1], ".").isel(split=0)


def test_a_linear_teachers_inputs_have_the_spectrum_asked_for():
    flat, random = (linear_teacher(spectrum=spectrum).x_train.values for spectrum in ("flat", "random"))
    np.testing.assert_allclose(np.linalg.svd(flat)[1], 1, rtol=1e-12)
    many = linear_teacher(spectrum="random", dimension=300, train_size=200, test_size=1).x_train.values
    assert many.var() * 300 == pytest.approx(1, rel=0.05)
    assert random.shape == (5, 12)


@pytest.mark.parametrize("condition", [1.0, 2.0, 25.0])
def test_a_linear_teachers_spectrum_is_even_between_its_ends(condition):
    """Square or not, and in no direction of the inputs that another split shares."""
    for rows in (5, 12):
        x = linear_teacher(spectrum="even", condition=condition, train_size=rows).x_train.values
        np.testing.assert_allclose(
            np.linalg.svd(x)[1], np.linspace(1, np.sqrt(condition), rows)[::-1], rtol=1e-12
        )
        other = prepare({"source": "linear_teacher", "dimension": 12, "train_size": rows, "test_size": 1,
                         "spectrum": "even", "condition": condition}, [0, 1], ".")  # fmt: skip
        assert np.abs(np.diff(other.x_train.values, axis=0)).max() > 0.1


def test_a_linear_teacher_is_as_large_as_asked_for():
    """Its entries, the same but for the scale."""
    small, large = (linear_teacher(teacher_scale=scale).y_test.values for scale in (0.5, 2.0))
    np.testing.assert_allclose(large, 4 * small, rtol=1e-15)
    np.testing.assert_allclose(linear_teacher().y_test.values, small * 2 / np.sqrt(12), rtol=1e-15)


def test_a_linear_teachers_targets_are_linear_up_to_its_noise():
    quiet, noisy = linear_teacher(noise=0), linear_teacher(noise=0.5)
    theta = quiet.y_test.values  # the test rows are the unit vectors
    np.testing.assert_array_equal(quiet.x_test.values, np.eye(12))
    np.testing.assert_allclose(quiet.y_train.values, quiet.x_train.values @ theta, atol=1e-14)
    assert 0.2 < (noisy.y_train - quiet.y_train).values.std() < 0.8


def cone(**fields):
    recipe = {"source": "cone", "cosine": 0.3, "train_size": 20, "test_size": 200} | fields
    return prepare(recipe, [0, 1], ".").isel(split=0)


@pytest.mark.parametrize("cosine", [0.0, 1e-4, 0.1, 0.5])
@pytest.mark.parametrize("dimension", [None, 64])
def test_rows_of_a_cone_have_one_cosine(cosine, dimension):
    """Times their labels, every pair, to rounding: 1 + √d terms of it in a product of unit vectors."""
    data = cone(cosine=cosine, dimension=dimension)
    rows = data.x_train.values * data.y_train.values
    expected = cosine + (1 - cosine) * np.eye(20)
    np.testing.assert_allclose(rows @ rows.T, expected, rtol=0, atol=1e-14)
    assert rows.shape == (20, dimension or 21)
    assert sorted(data.y_train.values.ravel()) == [-1] * 10 + [1] * 10


def test_test_rows_of_a_cone_are_as_near_to_its_axis():
    """Unit vectors with ⟨y x, u⟩ = √μ of one u, which 200 of them fix; training rows share it."""
    data = cone(dimension=40)
    train, test = (data[f"x_{part}"].values * data[f"y_{part}"].values for part in ("train", "test"))
    np.testing.assert_allclose(np.linalg.norm(test, axis=1), 1, rtol=1e-14)
    axis = np.linalg.lstsq(test, np.full(200, 0.3**0.5))[0]
    assert np.linalg.norm(axis) == pytest.approx(1, rel=1e-12)
    np.testing.assert_allclose(np.r_[train, test] @ axis, 0.3**0.5, rtol=1e-12)
    assert np.linalg.matrix_rank(test) == 40


def test_a_cone_of_one_class_and_of_unequal_ones():
    two = cone(cosine=0.01, train_size=2, positive=1.0)
    np.testing.assert_array_equal(two.y_train, 1)
    assert two.x_train.values[0] @ two.x_train.values[1] == pytest.approx(0.01, rel=1e-12)
    assert cone(positive=0.25).y_train.values.sum() == 5 - 15


def test_permuted_labels_of_a_cone_leave_the_rows_as_they_are():
    """So that the cone, and nothing else, is gone."""
    plain, permuted = cone(), cone(permuted=True)
    np.testing.assert_array_equal(plain.x_train, permuted.x_train)
    np.testing.assert_array_equal(plain.y_test, permuted.y_test)
    assert sorted(plain.y_train.values.ravel()) == sorted(permuted.y_train.values.ravel())
    moved = (plain.y_train != permuted.y_train).values.ravel()
    assert 0 < moved.sum() < 20


def test_a_cone_needs_room():
    with pytest.raises(ValueError, match="more features than training rows, and dimension is 20"):
        cone(dimension=20)


def test_whitened_training_rows_are_orthonormal_and_test_rows_take_the_same_map():
    recipe = {"source": "digits", "train_size": 20, "test_size": 10, "labels": "onehot"}
    white, plain = (
        prepare(recipe | {"normalize": how}, [0], ".").isel(split=0) for how in ("whiten", "none")
    )
    x = white.x_train.values
    np.testing.assert_allclose(x @ x.T, np.eye(20), atol=1e-12)
    everything = np.concatenate([plain.x_train, plain.x_test])
    mapped = np.concatenate([white.x_train, white.x_test])
    linear = np.linalg.lstsq(everything, mapped, rcond=1e-10)[0]
    np.testing.assert_allclose(everything @ linear, mapped, atol=1e-9)


def test_dependent_rows_cannot_be_whitened():
    with pytest.raises(DataError, match="linearly independent"):
        prepare(
            {"source": "iris", "train_size": 20, "test_size": 10, "labels": "onehot", "normalize": "whiten"},
            [0],
            ".",
        )


FEW = '''"""A source that draws too few test rows."""

from minima.data.pool import Pool
from minima.plan.recipes import Recipe


class Few(Recipe):
    """Too few test rows."""


def draw(recipe, split):
    import numpy as np

    x = np.zeros((recipe.train_size, 2))
    return Pool(x, np.arange(len(x)) % 2, x[:3], np.arange(3) % 2)
'''


def test_a_users_source_that_draws_other_rows_than_asked_is_told_so(tmp_path):
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "few.py").write_text(FEW)
    parts.extend([tmp_path])
    try:
        with pytest.raises(DataError, match="few: draw returned 3 test rows with 3 targets, and 5 are asked"):
            prepare({"source": "few", "train_size": 8, "test_size": 5}, [0], ".")
    finally:
        parts.extend([])
