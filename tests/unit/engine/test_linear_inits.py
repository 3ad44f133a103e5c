"""Starts of two linear layers that are built: each against what it says, in plain NumPy."""

import numpy as np
import pytest
import torch
from tests.unit.helpers import cell, grid

from minima.engine.draws import start as start_of_init
from minima.engine.inits import crossed
from minima.plan.mistakes import ConfigError
from minima.streams import stream
from minima.training.start import Arrays, network_of, start_of

WIDTH, FEATURES = 20, 6
LINEAR = {"activation": "linear", "depth": 2, "width": WIDTH, "parametrization": "none"}
SHAPES = [(6, 2), (4, 1), (5, 3)]  # points, outputs


def split(points, outputs, rank=None):
    """Points that stand in general position; targets linear in the first `rank` inputs, or any."""
    rng = np.random.default_rng(points)
    x = rng.normal(size=(points, FEATURES))
    y = rng.normal(size=(points, outputs))
    if rank is not None:
        y = x[:, :rank] @ rng.normal(size=(rank, outputs))
    return Arrays(x, y, x[:2], y[:2])


def drawn(data, init, seed=0, parametrization="none"):
    """W1 [d, h] and W2 [h, m], and what f multiplies them with."""
    network = LINEAR | {"parametrization": parametrization}
    one = cell(seed=seed, network=network, init=init, predict=[])
    made = network_of(one, data)
    first, second = start_of(made, [one], [data], torch.device("cpu")).weights
    return first[0, 0].numpy().T, second[0, 0].numpy().T, np.prod(made.ensemble.model.factors)


def seen(x, first):
    """What the points see of W1."""
    return np.linalg.pinv(x) @ x @ first


@pytest.mark.parametrize("parametrization", ["none", "ntk"])
@pytest.mark.parametrize("shape", SHAPES)
def test_layers_without_imbalance_near_the_targets(shape, parametrization):
    """s W1W2 − X⁺Y is noise of the size asked for, and the layers stay balanced."""
    data = split(*shape)
    solution = np.linalg.pinv(data.x_train) @ data.y_train
    noise = stream(3, "weights/0").standard_normal(solution.shape)
    for off in (0.0, 0.01, 1.0):
        first, second, factor = drawn(data, {"scheme": "balanced", "off": off}, 3, parametrization)
        wanted = solution / factor + off * noise
        np.testing.assert_allclose(first @ second, wanted, rtol=1e-9, atol=1e-9 * np.abs(wanted).max())
        basis = np.linalg.svd(data.x_train, full_matrices=False)[2]
        imbalance = (basis @ first).T @ (basis @ first) - second @ second.T
        assert np.abs(imbalance).max() < 1e-10 * np.abs(second @ second.T).max()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_whitening_layer_leaves_no_spectrum(shape):
    """X W1W1ᵀXᵀ = a² times one, W2 normal of size b, W1 nothing that the points do not see."""
    data = split(*shape)
    first, second, _ = drawn(data, {"scheme": "whitening", "layer_scales": [3.0, 0.1]})
    x = data.x_train
    np.testing.assert_allclose(x @ first @ first.T @ x.T, 9 * np.eye(len(x)), atol=1e-10)
    np.testing.assert_allclose(seen(x, first), first, atol=1e-10)
    normal = stream(0, "weights/1").standard_normal(second.T.shape).T
    np.testing.assert_allclose(second, 0.1 * normal)


@pytest.mark.parametrize("shape", [(6, 2), (4, 1)])
def test_crossed_layers_compute_what_the_targets_do_not_ask_for(shape):
    """Rank one, of sizes a and b; seen by the points, across the solution's inputs, along its main output."""
    data = split(*shape)
    first, second, _ = drawn(data, {"scheme": "crossed", "layer_scales": [2.0, 0.1]})
    solution = np.linalg.pinv(data.x_train) @ data.y_train
    for layer, size in ((first, 2.0), (second, 0.1)):
        singular = np.linalg.svd(layer, compute_uv=False)
        assert singular[0] == pytest.approx(size)
        assert (singular[1:] < 1e-12).all()
    assert np.linalg.norm(first @ second) == pytest.approx(0.2)
    assert np.abs(solution.T @ first).max() < 1e-10
    np.testing.assert_allclose(seen(data.x_train, first), first, atol=1e-10)
    top = np.linalg.svd(solution)[2][0]
    np.testing.assert_allclose(np.abs(second.sum(0) / np.linalg.norm(second.sum(0)) @ top), 1)


def test_seeds_differ():
    data = split(4, 1)
    for scheme in ("whitening", "crossed", "balanced"):
        one, other = (drawn(data, {"scheme": scheme}, seed)[0] for seed in (0, 1))
        assert np.abs(one - other).max() > 0.01


def test_targets_of_every_input_leave_no_direction_to_cross():
    data = Arrays(np.eye(3, FEATURES), np.eye(3), np.eye(1, FEATURES), np.zeros((1, 3)))
    shapes = [(WIDTH, FEATURES), (3, WIDTH)]

    class Model:
        def drawn(self, draw, options, seed, x):
            return draw(shapes, [1.0, 1.0], seed, x)

    with pytest.raises(ValueError, match="depend on every input"):
        start_of_init(crossed, Model(), {}, 0, data.x_train, data.y_train)


@pytest.mark.parametrize(
    ("init", "network", "words"),
    [
        ({"scheme": "balanced", "off": 0.1, "scale": 2}, {}, "init.off says how large"),
        ({"scheme": "balanced", "off": 0.1, "layer_scales": [1, 2]}, {}, "init.off says how large"),
        ({"scheme": "whitening", "output": "sign"}, {}, "whitening has no entries"),
        ({"scheme": "whitening"}, {"width": 4}, "whitening needs a width of 5"),
        ({"scheme": "whitening"}, {"activation": "relu"}, "for two linear layers"),
        ({"scheme": "crossed"}, {"depth": 3}, "for two linear layers"),
    ],
)
def test_what_cannot_be_built_is_refused(init, network, words):
    with pytest.raises(ConfigError, match=words):
        cell(network=LINEAR | network, init=init, predict=[])


def test_targets_on_every_output_are_refused_where_that_is_known():
    recipe = {"source": "linear_teacher", "dimension": 3, "train_size": 3, "test_size": 3, "outputs": 3}
    with pytest.raises(ConfigError, match="crossed needs more than 3 inputs that the points see, not 3"):
        cell(network=LINEAR, init={"scheme": "crossed"}, predict=[], recipe=recipe | {"labels": "value"})


def test_what_came_later_leaves_cells_as_they_were():
    """The JSON of a balanced cell, and of one with a linear teacher, names no new option."""
    recipe = {"source": "linear_teacher", "dimension": 6, "train_size": 3, "test_size": 3}
    one = grid(network=LINEAR, init={"scheme": "balanced"}, predict=[], recipe=recipe).cells[0]
    for name in ("off", "condition", "teacher_scale"):
        assert f'"{name}"' not in one.json
