import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from minima.data.idx import ROLES
from minima.plan import parts
from minima.plan.recipes import DataRecipe
from minima.plan.sections import section_of

PACKAGE = str(Path(__file__).parents[3] / "workflow_scripts")
RECIPE = TypeAdapter(DataRecipe)
TWO = {"classes": [0, 1]}


def parse(source, **options):
    return RECIPE.validate_python({"source": source, **options})


def test_defaults_are_filled_in():
    dumped = parse("digits", **TWO).model_dump(mode="json")
    assert dumped == {
        "source": "digits",
        "classes": [0, 1],
        "train_size": 100,
        "test_size": 100,
        "labels": "sign",
        "standardize_targets": False,
        "normalize": "sphere",
        "shape": None,
        "label_noise": 0.0,
        "confusion": None,
        "split": "seed",
    }
    assert RECIPE.validate_python(dumped).model_dump(mode="json") == dumped


@pytest.mark.parametrize("source", ["diabetes", "sphere_teacher"])
def test_regression_sources_have_real_targets(source):
    assert parse(source).labels == "value"


def test_numeric_strings_are_numbers():
    recipe = parse("digits", classes=["3", "8"], train_size="50", split="7", label_noise="0.25")
    assert (recipe.classes, recipe.train_size, recipe.split, recipe.label_noise) == ([3, 8], 50, 7, 0.25)
    assert parse("file", path="a.csv", labels="sign", classes=["3", "no"]).classes == [3, "no"]


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ({"source": "digits"}, "needs exactly two classes and there are 10"),
        ({"source": "digits", "classes": [0, 1, 2]}, "needs exactly two classes and there are 3"),
        ({"source": "digits", "classes": [0, 11]}, "digits has no class 11"),
        ({"source": "mnist", "classes": [-1, 1]}, "mnist has no class -1"),
        ({"source": "digits", "classes": [1, 1]}, "names a class twice"),
        ({"source": "digits", "classes": [1]}, "at least 2"),
        (
            {"source": "digits", **TWO, "train_size": 300},
            "train_size 300 + test_size 100 is more than the 360",
        ),
        ({"source": "wine", **TWO, "train_size": 31}, "more than the 130 rows of wine, classes"),
        ({"source": "iris", "labels": "onehot", "train_size": 100, "test_size": 51}, "150 rows of iris"),
        ({"source": "diabetes", "train_size": 343}, "more than the 442 rows of diabetes"),
        ({"source": "mnist", **TWO, "train_size": 12666}, "more than the 12665 training rows"),
        ({"source": "mnist", **TWO, "test_size": 2116}, "more than the 2115 test rows"),
        ({"source": "fashion_mnist", **TWO, "test_size": 2001}, "more than the 2000 test rows"),
        ({"source": "diabetes", "labels": "onehot"}, "real targets, not classes: use labels: value"),
        ({"source": "sphere_teacher", "labels": "sign"}, "real targets, not classes: use labels: value"),
        ({"source": "diabetes", **TWO}, "remove classes"),
        ({"source": "diabetes", "label_noise": 0.1}, "label_noise replaces classes"),
        ({"source": "digits", "labels": "value", "label_noise": 0.1}, "label_noise replaces classes"),
        ({"source": "digits", **TWO, "standardize_targets": True}, "needs labels: value"),
        ({"source": "digits", **TWO, "label_noise": 1}, "less than 1"),
        ({"source": "digits", **TWO, "train_size": 0}, "greater than or equal to 1"),
        ({"source": "digits", **TWO, "test_size": 0}, "greater than or equal to 1"),
        ({"source": "digits", **TWO, "split": -1}, "greater than or equal to 0"),
        ({"source": "digits", **TWO, "tran_size": 5}, "Extra inputs"),
        ({"source": "digit"}, "sphere_teacher"),  # pydantic lists the sources
        ({"source": "sphere_teacher", "dimension": 1}, "greater than or equal to 2"),
        (
            {"source": "linear_teacher", "dimension": 50, "test_size": 9},
            "at most as many rows as features, 50",
        ),
        ({"source": "linear_teacher", "normalize": "unit"}, "needs normalize: none"),
        ({"source": "file", "path": "rows.txt"}, "'rows.txt' should end in .npz, .csv, .parquet, .nc"),
        ({"source": "file", "path": "rows.npz", "target": "price"}, "use y for .npz"),
        ({"source": "file", "path": "rows.csv", "x": "inputs"}, "use target for .csv"),
        ({"source": "file", "path": "rows.csv", "sha256": "abc"}, "pattern"),
        ({"source": "file", "path": "rows.csv", "labels": "sign", "classes": [1, 2, 3]}, "exactly two"),
        ({"source": "file", "path": "rows.csv", "classes": ["a", "b"]}, "use labels: sign or onehot"),
        ({"source": "file", "path": "rows.csv", "labels": "sign", "classes": ["a", "a"]}, "a class twice"),
        ({"source": "iris", "labels": "onehot", "classes": ["setosa", 1]}, "iris has no class setosa"),
        ({"source": "file"}, "path is missing"),
        ({"source": "file", "address": "https://a.org/rows.csv"}, "address needs sha256"),
        ({"source": "file", "address": "a.org/rows.csv", "sha256": "0" * 64}, "begin with https://"),
        ({"source": "file", "address": "https://a.org/iris.data", "sha256": "0" * 64}, "say in path how"),
        ({"source": "file", "path": "rows.nc", "columns": ["a"]}, "remove it for .npz and .nc"),
        ({"source": "file", "path": "rows.csv", "columns": []}, "at least 1"),
        ({"source": "file", "path": "rows.csv", "columns": ["a", "a"]}, "columns names a twice"),
        ({"source": "file", "path": "rows.csv", "columns": ["a"], "target": "a"}, "a is the target and one"),
        ({"source": "file", "path": "rows.csv", "layout": "nhwc"}, "use shape for .csv"),
        ({"source": "file", "path": "rows.npz", "layout": "hwc"}, "'nhw', 'nhwc' or 'nchw'"),
        ({"source": "file", "path": "rows.parquet", "separator": "tab"}, "remove them for .parquet"),
        ({"source": "file", "path": "rows.npz", "decimal": "comma"}, "remove them for .npz"),
        ({"source": "openml"}, "either data_id, the number of a table, or its name and version"),
        ({"source": "openml", "name": "iris", "data_id": 61}, "either data_id"),
        ({"source": "openml", "name": "iris"}, "name: iris needs a version"),
        ({"source": "openml", "data_id": 61, "version": 1}, "version goes with name"),
        ({"source": "openml", "data_id": 61, "columns": ["a", "a"]}, "columns names a twice"),
        ({"source": "openml", "data_id": 61, "columns": ["a"], "target": "a"}, "the target and one of"),
        ({"source": "idx", "train_images": "a"}, "train_labels"),
    ],
)
def test_what_cannot_be_is_refused_while_parsing(recipe, message):
    with pytest.raises(ValidationError) as caught:
        RECIPE.validate_python(recipe)
    assert message in str(caught.value)


def test_several_mistakes_are_told_at_once():
    with pytest.raises(ValidationError, match=r"use labels: value.*remove classes"):
        parse("diabetes", labels="sign", classes=[0, 1])


def test_the_largest_sizes_fit():
    parse("digits", classes=[0, 1], train_size=260, test_size=100)
    parse("mnist", classes=[0, 1], train_size=12665, test_size=2115)
    parse("file", path="rows.npz", classes=[-1, 1], labels="sign", train_size=10**6)


def test_shapes_are_known_before_the_data():
    def counts(recipe):
        return recipe.row_shape(), recipe.output_count()

    assert counts(parse("digits", labels="onehot")) == ((1, 8, 8), 10)
    assert counts(parse("mnist", classes=[1, 2, 3], labels="onehot")) == ((1, 28, 28), 3)
    assert counts(parse("sphere_teacher", dimension=7)) == ((7,), 1)
    assert counts(parse("linear_teacher", dimension=200, test_size=9, outputs=3)) == ((200,), 3)
    assert counts(parse("file", path="a.csv", labels="onehot")) == (None, 10)


def test_a_recipe_may_reshape_its_rows():
    """What the network gets; the source's own shape where the recipe says nothing."""
    assert parse("digits", labels="onehot", shape=[8, 8]).input_shape() == (8, 8)
    assert parse("digits", labels="onehot").input_shape() == (1, 8, 8)
    assert parse("file", path="a.csv", shape=[1, 4, 4]).expected_input_shape() == (1, 4, 4)
    with pytest.raises(
        ValidationError, match=r"shape \[1, 8, 9\] is of 72 numbers, and digits has rows of 64"
    ):
        parse("digits", labels="onehot", shape=[1, 8, 9])
    with pytest.raises(ValidationError, match="normalize: channels needs images"):
        parse("digits", labels="onehot", shape=[8, 8], normalize="channels")


def test_own_files_are_named(tmp_path):
    files = {role: f"{role}.gz" for role in ROLES}
    assert parse("idx", **TWO, **files).own_files(tmp_path)[0] == tmp_path / "train_images.gz"
    assert [str(path) for path in parse("file", path="a/b.csv").own_files(tmp_path)] == ["a/b.csv"]
    assert parse("mnist", **TWO).own_files(tmp_path) == []
    elsewhere = parse("file", address="https://a.org/b%20c.csv", sha256="0" * 64)
    assert (elsewhere.own_files(tmp_path), elsewhere.published_files(tmp_path)) == (
        [],
        [tmp_path / "b c.csv"],
    )


def test_what_a_file_recipe_does_not_say_is_no_part_of_its_cells():
    """So that networks trained before an option came are found in the store."""
    section = section_of("data", {"data": {"source": "file", "path": "a.csv"}}, {})
    assert set(json.loads(section.json)) == {
        *{"source", "path", "sha256", "x", "y", "x_test", "y_test", "target", "labels", "classes"},
        *{"train_size", "test_size", "normalize", "label_noise", "confusion", "split"},
    }
    said = {"columns": ["b"], "decimal": "comma", "layout": None}
    section = section_of("data", {"data": {"source": "file", "path": "a.csv", **said}}, {})
    assert {"columns", "decimal"} < set(json.loads(section.json))
    assert "layout" not in section.json


def test_every_option_is_described():
    for model in parts.options("sources").values():
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name}"
            assert "\n" not in field.description


def test_parsing_stays_light():
    code = (
        "import sys, minima.plan.recipes; print({'numpy', 'pandas', 'xarray', 'sklearn'} & set(sys.modules))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": PACKAGE}
    )
    assert ran.stdout.strip() == "set()"
