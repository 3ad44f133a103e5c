"""Sections that are fine alone and cannot go together: refused while the config is read, others are not."""

import pytest
from tests.unit.helpers import grid

from minima.plan.mistakes import ConfigError
from minima.plan.networks import kind_of

IMAGES = {"source": "digits", "train_size": 13, "test_size": 10, "labels": "onehot"}
CNN = {
    "recipe": IMAGES,
    "network": {"kind": "cnn", "channels": [2, 2, 2], "hidden": 4, "batch_norm": True},
    "init": {"scheme": "kaiming"},
    "loss": "cross_entropy",
    "predict": [],
}


def batches(size, replacement=False):
    return {"name": "heavy_ball", "lr": 0.1, "batch_size": size, "replacement": replacement}


@pytest.mark.parametrize(
    ("size", "replacement", "says"),
    [
        (None, False, "needs mini-batches"),
        (1, False, "2 or more, not 1"),
        (1, True, "2 or more, not 1"),
        (6, False, "13 rows in batches of 6 leave one of 1 row"),
    ],
)
def test_batch_normalization_of_one_row_is_refused(size, replacement, says):
    with pytest.raises(ConfigError, match=says):
        grid(optimizer=batches(size, replacement), **CNN)


def test_batches_drawn_with_replacement_are_all_full():
    grid(optimizer=batches(6, replacement=True), **CNN)


@pytest.mark.parametrize("name", ["adagrad", "rmsprop", "adam", "adamw"])
@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"schedule": {"kind": "cosine", "length": 9}}, "for schedule: constant alone"),
        ({"weight_decay": {"strength": 0.1}}, "without weight_decay alone"),
    ],
)
def test_flows_are_known_of_constant_steps_without_decay(name, options, says):
    optimizer = {"name": name, "lr": 0.1}
    grid(optimizer=optimizer, predict=["adaptive_flow"])
    with pytest.raises(ConfigError, match=f"adaptive_flow of {name} is known {says}"):
        grid(optimizer=optimizer | options, predict=["adaptive_flow"])
    grid(optimizer=optimizer | options, predict=["network_flow", "network_at_step"])


def test_networks_are_followed_by_methods_that_say_what_their_steps_remember():
    for name in ("network_flow", "network_at_step"):
        with pytest.raises(ConfigError, match=rf"{name} knows the steps of adagrad, .*, not of sign"):
            grid(optimizer={"name": "sign", "lr": 0.1}, predict=[name])
    grid(optimizer={"name": "flow"}, predict=["network_flow"])
    with pytest.raises(ConfigError, match="network_at_step needs steps; flow has network_flow alone"):
        grid(optimizer={"name": "flow"}, predict=["network_at_step"])


def test_probes_of_layers_are_refused_of_modules():
    with pytest.raises(ConfigError, match=r"record.probes: decay needs network.kind: mlp, not cnn"):
        grid(
            optimizer=batches(6),
            record={"probes": ["decay"]},
            **(CNN | {"recipe": IMAGES | {"train_size": 12}}),
        )


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"predict": ["linearized"]}, "predict: linearized: "),
        (
            {"optimizer": {"batch_size": 6, "lr": {"relative": 0.5}}},
            "optimizer.lr: in units of the tangent kernel: ",
        ),
        ({"record": {"spectrum": True}}, "record.spectrum: "),
        ({"record": {"probes": ["kernel_extremes"]}}, "record.probes: kernel_extremes: "),
        ({"record": {"probes": ["sharpness"]}}, "record.probes: sharpness: "),
    ],
)
def test_what_asks_for_single_points_is_refused_where_points_are_tied(asked, says):
    """With statistics of batches there is no Jacobian of a point; with frozen ones, or without, there is."""
    images = CNN | {"recipe": IMAGES | {"train_size": 12}, "loss": "mse"}
    asked = {"optimizer": batches(6)} | asked
    for batch_norm in (False, "frozen"):
        grid(**(images | asked | {"network": {"kind": "cnn", "batch_norm": batch_norm}}))
    with pytest.raises(ConfigError) as caught:
        grid(**(images | asked | {"network": {"kind": "cnn", "batch_norm": True}}))
    assert says in str(caught.value)
    assert "say batch_norm: frozen" in str(caught.value)


def test_predictors_know_points_as_they_are():
    images = CNN | {"recipe": IMAGES | {"train_size": 12}, "loss": "mse"}
    with pytest.raises(ConfigError, match="linearized knows the training points as they are"):
        grid(**(images | {"optimizer": batches(6), "predict": ["linearized"], "augment": {"shift": 1}}))


@pytest.mark.parametrize(("batch_norm", "ties"), [(True, True), (False, False)])
@pytest.mark.parametrize("kind", ["cnn", "resnet18", "vgg16"])
def test_batch_normalization_in_training_ties_points(kind, batch_norm, ties):
    """Who needs f of single points asks the kind of network, and is told what to do."""
    options = {"kind": kind, "batch_norm": batch_norm}
    assert ("say batch_norm: frozen" in kind_of(options).ties_points(options)) is ties
    assert not kind_of({"kind": "mlp"}).ties_points({"kind": "mlp"})
