"""A block becomes cells: their names, their order and their digests."""

from itertools import product
from typing import get_args

import pytest
from pydantic import BaseModel, TypeAdapter

from minima.plan.axes import dimension_names, reserved
from minima.plan.config import Block
from minima.plan.digest import canonical
from minima.plan.files import data_file
from minima.plan.grid import expand
from minima.plan.marks import variables
from minima.plan.recipes import DataRecipe
from minima.plan.sections import SECTION_TYPES, written

RECIPES = {
    name: TypeAdapter(DataRecipe).validate_python(recipe)
    for name, recipe in {
        "digits": {"source": "digits", "classes": [3, 8], "train_size": 20, "test_size": 20},
        "wine": {"source": "wine", "labels": "onehot", "train_size": 20},
        "sphere": {"source": "sphere_teacher", "split": 7},
        "paired": {"source": "sphere_teacher", "split": {"seeds_each": 2}},
    }.items()
}


def grid(**block):
    return expand(Block.model_validate({"data": "digits"} | block), RECIPES)


def only_cell(**block):
    (cell,) = grid(**block).cells
    return cell


# Digests


@pytest.mark.parametrize(
    ("block", "digest"),
    [
        ({}, "ba4454ec1a876335"),
        ({"network": {"width": 64, "depth": 3}, "init": {"scale": 2}, "seed": 101}, "14e73a200f7ba708"),
        ({"optimizer": {"name": "heavy_ball", "lr": 0.1}, "stop": {"residual": 0.01}}, "8e68277c6b5c4e5c"),
        ({"data": "wine", "dtype": "float32", "predict": []}, "ee932e70492b841f"),
        ({"data": "sphere", "init": {"scheme": "antisymmetric"}}, "8024d1faf24a0904"),
    ],
)
def test_digests_are_pinned(block, digest):
    """Another digest makes every stored cell useless: a new field does that, a new choice must not."""
    assert only_cell(**block).digest == digest


SAID = {
    "network": {"width": 8, "depth": 3},
    "optimizer": {"name": "heavy_ball", "lr": {"relative": 0.5}},
    "stop": {"max_steps": 1000, "residual": 0.01},
    "seed": {"start": 3, "count": 1},
}


@pytest.mark.parametrize(
    "otherwise",
    [
        pytest.param(dict(reversed(SAID.items())), id="order of sections"),
        pytest.param(SAID | {"network": {"depth": 3, "width": 8}}, id="order of fields"),
        pytest.param(
            SAID | {"dtype": "float64", "init": {"scale": 1}, "predict": ["linearized"]}, id="defaults"
        ),
        pytest.param(
            SAID
            | {"network": {"width": "8", "depth": "3"}, "stop": {"max_steps": "1000", "residual": "1e-2"}},
            id="numbers as text",
        ),
        pytest.param(SAID | {"network": {"width": 8.0, "depth": 3}, "init": {"scale": 1.0}}, id="1 and 1.0"),
        pytest.param(SAID | {"seed": 3}, id="one seed"),
        pytest.param(
            SAID | {"axes": {"network.width": [8]}, "network": {"depth": 3}}, id="an axis of one value"
        ),
        pytest.param(SAID | {"axes": {"data": ["digits"]}, "data": "wine"}, id="the data as an axis"),
        pytest.param(
            {**SAID, "optimizer": {}, "axes": {"optimizer": {"heavy": {"name": "heavy_ball"}}}},
            id="a labelled axis",
        ),
    ],
)
def test_the_same_said_otherwise_is_the_same_cell(otherwise):
    assert only_cell(**otherwise).json == only_cell(**SAID).json


def test_a_cell_is_complete_and_canonical():
    cell = only_cell()
    said = {name: written(cell.part(name), values) for name, values in cell.values.items()}
    said = {name: section for name, section in said.items() if section != {}}
    assert cell.json == canonical(said)  # all but options and sections that came later, at their defaults
    for section in SECTION_TYPES:
        model = cell.part(section)
        if isinstance(model, BaseModel):
            assert set(cell[section]) == set(type(model).model_fields)


@pytest.mark.parametrize(
    ("change", "same_group"),
    [
        ({"seed": 5}, True),
        ({"init": {"scale": 3, "flip": True}}, True),
        ({"optimizer": {"lr": 0.1}}, True),
        ({"stop": {"residual": 0.5, "loss": 0.1}}, True),
        ({"network": {"width": 9}}, False),
        ({"optimizer": {"name": "heavy_ball"}}, False),
        ({"stop": {"max_steps": 9}}, False),
        ({"dtype": "float32"}, False),
        ({"data": "wine"}, False),
    ],
)
def test_a_group_shares_all_but_the_numbers_that_the_engine_takes_per_network(change, same_group):
    cell, other = only_cell(), only_cell(**change)
    assert cell.digest != other.digest
    assert (cell.group == other.group) is same_group


# Dimensions


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["network.width", "init.scale"], ["width", "scale"]),
        (["optimizer.name", "optimizer.lr"], ["optimizer", "lr"]),
        (["optimizer", "data"], ["optimizer", "data"]),
        (["data.train_size"], ["train_size"]),
        (["init.scale", "network.scale"], ["init_scale", "network_scale"]),
        (["stop.residual", "stop.loss"], ["stop_residual", "stop_loss"]),
    ],
)
def test_a_dimension_is_named_after_its_path(paths, names):
    assert dimension_names(paths) == names


def models(annotation):
    """Every model within a type."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in models(argument)]


FIELDS = {
    f"{section}.{field}"
    for section, annotation in SECTION_TYPES.items()
    for model in models(annotation)
    for field in model.model_fields
}


@pytest.mark.parametrize("path", sorted(FIELDS))
def test_no_axis_takes_the_name_of_what_a_dataset_holds(path):
    """An axis over the learning rate stands beside the stored one."""
    (name,) = dimension_names([path])
    assert name not in reserved()
    assert name not in variables()


# Axes


def test_cells_are_dense_in_c_order_with_the_seed_last():
    """So that a column of cells, reshaped, is the block's array."""
    axes = {
        "optimizer.name": ["gd", "heavy_ball"],
        "data.train_size": [10, 20, 30],
        "network.width": {"start": 4, "count": 2},
        "optimizer.lr": [0.1, 0.2],
    }
    block = grid(axes=axes, seed={"start": 7, "count": 2})
    assert [axis.dimension for axis in block.axes] == ["optimizer", "train_size", "width", "lr", "seed"]
    assert block.shape == (2, 3, 2, 2, 2)
    expected = list(product(*(axis.labels for axis in block.axes)))
    assert expected[1] == ("gd", 10, 4, 0.1, 8)
    found = [
        (
            c["optimizer"]["name"],
            c["data"]["train_size"],
            c["network"]["width"],
            c["optimizer"]["lr"],
            c["seed"],
        )
        for c in block.cells
    ]
    assert found == expected


def test_labels_stand_for_values_of_any_shape():
    block = grid(
        axes={
            "optimizer": {"plain": {"name": "gd"}, "heavy": {"name": "heavy_ball", "momentum": 0.5}},
            "optimizer.lr": {"careful": {"relative": 0.1}, "fixed": 0.2},
        }
    )
    assert [axis.labels for axis in block.axes[:2]] == [("plain", "heavy"), ("careful", "fixed")]
    assert [(c["optimizer"].get("momentum"), c["optimizer"]["lr"]) for c in block.cells] == [
        (None, {"relative": 0.1}),
        (None, 0.2),
        (0.5, {"relative": 0.1}),
        (0.5, 0.2),
    ]


@pytest.mark.parametrize("order", [1, -1])
def test_a_nested_axis_goes_into_its_parents_axis_whatever_the_order(order):
    axes = {"optimizer": {"heavy": {"name": "heavy_ball", "lr": 0.1}}, "optimizer.momentum": [0.3, 0.4]}
    block = grid(optimizer={"name": "heavy_ball"}, axes=dict(list(axes.items())[::order]))
    assert [(c["optimizer"]["momentum"], c["optimizer"]["lr"]) for c in block.cells] == [
        (0.3, 0.1),
        (0.4, 0.1),
    ]


@pytest.mark.parametrize(
    ("axes", "field", "values"),
    [
        (
            {"optimizer": {"heavy": {"name": "heavy_ball"}}, "optimizer.momentum": [0.3, 0.4]},
            "momentum",
            [0.3, 0.4],
        ),
        (
            {"optimizer.schedule.length": [5, 6], "optimizer.schedule.kind": ["step", "cosine"]},
            "schedule",
            [
                {"kind": "step", "length": 5, "factor": 0.1},
                {"kind": "cosine", "length": 5},
                {"kind": "step", "length": 6, "factor": 0.1},
                {"kind": "cosine", "length": 6},
            ],
        ),
    ],
)
def test_an_axis_may_need_another_axis(axes, field, values):
    """What the block says alone has neither momentum nor schedule."""
    block = grid(optimizer={"name": "gd"}, axes=axes)
    assert [c["optimizer"][field] for c in block.cells] == values


def test_an_axis_keeps_what_its_block_says_of_the_section():
    block = grid(optimizer={"name": "heavy_ball", "lr": 0.3}, axes={"optimizer.name": ["gd", "heavy_ball"]})
    assert [c["optimizer"]["lr"] for c in block.cells] == [0.3, 0.3]
    assert "momentum" not in block.cells[0]["optimizer"]


def test_seeds_may_share_a_split():
    """{seeds_each: 2}: pairs of neighbouring seeds see the same rows, in files of whole decades of splits."""
    block = grid(data="paired", seed={"start": 99, "count": 4})
    assert [cell.split for cell in block.cells] == [49, 50, 50, 51]
    assert [data_file(cell).splits[0] for cell in block.cells] == [40, 50, 50, 50]


def test_the_axis_data_goes_over_recipes_by_name():
    block = grid(axes={"data": ["digits", "sphere"], "data.test_size": [5, 6]})
    assert [(c["data"]["source"], c["data"]["test_size"]) for c in block.cells] == [
        ("digits", 5),
        ("digits", 6),
        ("sphere_teacher", 5),
        ("sphere_teacher", 6),
    ]
    assert [c.split for c in block.cells] == [100, 100, 7, 7], "the seed's own split, or the recipe's one"


def test_labels_of_numbers_are_the_numbers_that_were_meant():
    block = grid(axes={"init.scale": ["1", 2, "3.5"], "network.width": ["8"]})
    assert [axis.labels for axis in block.axes[:2]] == [(1.0, 2.0, 3.5), (8,)]


def test_numbers_may_stand_for_other_numbers():
    """So that a part that names a step finds it on data where another step is what that one is on its own."""
    block = grid(optimizer={"name": "adagrad"}, axes={"optimizer.lr": {0.01: 0.004, "small": 0.002}})
    assert block.axes[0].labels == (0.01, "small")
    assert [cell["optimizer"]["lr"] for cell in block.cells][:: len(block.cells) // 2] == [0.004, 0.002]


def test_numbers_like_any_other_are_told_apart():
    first, second = grid(axes={"init.scale": [0.1, 0.1 + 2**-55]}).cells
    assert first.digest != second.digest
