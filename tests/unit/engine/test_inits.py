"""Initialization schemes start where they say, with the kernel they say."""

import math

import numpy as np
import pytest
import torch
from tests.unit.helpers import arrays, cell, jacobian, trained, weights

from minima.engine.draws import gaussian
from minima.engine.ensemble import Ensemble
from minima.engine.inits import antisymmetric
from minima.engine.networks.mlp import MLP
from minima.plan.mistakes import ConfigError
from minima.streams import stream
from minima.theory.empirical import tangent_kernel
from minima.training.start import network_of, start_of

SCHEMES = ("gaussian", "antisymmetric", "centred")
SPLIT = arrays(points=8, outputs=3)
ONE_OUTPUT = arrays(points=8)
ONE_STEP = {"max_steps": 1}
ABSOLUTE = {"optimizer": {"name": "gd", "lr": 0.1}}


def start(**sections):
    """What a cell reports of its start."""
    (values,) = trained([cell(stop=ONE_STEP, **sections)], SPLIT)
    return values


def start_function(values):
    return np.concatenate([values["start_train"], values["start_test"]])


def weights_at_start(seed=0, **sections):
    """The weights [E, K, out, in] with which a cell starts."""
    one = cell(seed=seed, **sections)
    network = network_of(one, SPLIT)
    return start_of(network, [one], [SPLIT], torch.device("cpu")).weights


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("seed", [0, 7])
def test_weights_depend_on_seed_and_layer_alone(scheme, seed):
    """Another width or depth redraws no other layer, so that grids over shapes are paired."""
    init = {"scheme": scheme}
    first, second, last = weights_at_start(seed, network={"depth": 3, "width": 6}, init=init)
    wider = weights_at_start(seed, network={"depth": 3, "width": 9}, init=init)
    assert torch.equal(first[:, :, :6].flatten(2), wider[0].flatten(2)[..., :30])
    assert torch.equal(second.flatten(2), wider[1].flatten(2)[..., :36])
    assert torch.equal(weights_at_start(seed, network={"depth": 2, "width": 6}, init=init)[0], first)
    expected = stream(seed, "weights/1").standard_normal((6, 6))
    assert last.shape[:2] == (1, 2 if scheme == "antisymmetric" else 1)
    assert all(np.array_equal(copy, expected) for copy in second[0])


def test_layers_and_seeds_are_unrelated():
    """No two layers and no two seeds share an entry."""
    drawn = [weight for seed in range(4) for weight in gaussian([(8, 8)] * 3, [1.0] * 3, seed)]
    entries = np.concatenate([weight.ravel() for weight in drawn])
    assert len(np.unique(entries)) == entries.size


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("activation", ["relu", "erf"])
@pytest.mark.parametrize(("width", "depth"), [(1, 2), (7, 3), (16, 4), (65, 3)])
def test_an_antisymmetric_pair_starts_at_zero(width, depth, activation, dtype):
    """f₀ = 0 up to a few roundings of one copy's values: a batched product may round its slices differently,
    so not always to the last bit."""
    network = {"width": width, "depth": depth, "activation": activation}
    pair, one = (
        start_function(start(network=network, init={"scheme": scheme}, dtype=dtype, predict=[], **ABSOLUTE))
        for scheme in ("antisymmetric", "gaussian")
    )
    assert np.abs(pair).max() <= 8 * np.finfo(dtype).eps * np.abs(one).max()


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("scheme", ["antisymmetric", "centred"])
def test_the_kernel_is_that_of_the_gaussian_net(scheme, depth):
    """Taking f₀ away leaves the tangent kernel, its edge, and Θ_xΘ⁻¹y, the limit that started at 0."""
    plain, other = (
        start(network={"width": 16, "depth": depth}, init={"scheme": name}) for name in ("gaussian", scheme)
    )
    for name in ("kernel_max", "kernel_min", "learning_rate"):
        assert other[name] == pytest.approx(plain[name], rel=1e-10)
    assert np.abs(start_function(other)).max() < 1e-14 < start_function(plain).std()
    assert np.abs(other["linearized_test"] - plain["linearized_test"]).max() > 0.1
    model, theta = weights_of(depth)
    kernel = jacobian(Ensemble(model), theta, torch.tensor(np.r_[SPLIT.x_train, SPLIT.x_test]))
    kernel = (kernel @ kernel.T).numpy()
    rows = SPLIT.y_train.size
    expected = kernel[rows:, :rows] @ np.linalg.solve(kernel[:rows, :rows], SPLIT.y_train.ravel())
    np.testing.assert_allclose(other["linearized_test"].ravel(), expected, rtol=1e-8, atol=1e-9)


def weights_of(depth):
    """The model of the cells above and the weights of seed 0, drawn by hand."""
    model = MLP((5, *[16] * (depth - 1), 3), "relu", "ntk")
    return model, [
        torch.tensor(stream(0, f"weights/{layer}").standard_normal((1, *shape)))
        for layer, shape in enumerate(model.weight_shapes)
    ]


def test_an_antisymmetric_kernel_is_one_copys_kernel():
    """Both copies of the pair have the kernel of the one, and its mean is taken, not its sum."""
    model = MLP((5, 8, 8, 2), "relu", "ntk")
    one = weights(model, 1)
    x = torch.tensor(SPLIT.x_train)[None]
    readout = antisymmetric.READOUT
    expected = tangent_kernel(Ensemble(model), one, x, 8)
    two = [weight.repeat(1, 2, 1, 1) for weight in one]
    torch.testing.assert_close(
        tangent_kernel(Ensemble(model, readout), two, x, 8), expected, rtol=1e-12, atol=1e-12
    )


def test_centred_trains_the_gaussian_net_towards_shifted_targets():
    """Centring is training f on y + f₀ and reporting f − f₀: same steps, same distance, another zero."""
    settings = {
        "network": {"width": 16},
        "stop": {"max_steps": 50, "residual": 1e-9},
        "optimizer": {"name": "gd", "lr": 0.2},
        "predict": [],
    }
    (centred,) = trained([cell(init={"scheme": "centred"}, **settings)], SPLIT)
    (plain,) = trained([cell(**settings)], SPLIT)
    f = {part: plain[f"start_{part}"] for part in ("train", "test")}
    shifted = type(SPLIT)(SPLIT.x_train, SPLIT.y_train + f["train"], SPLIT.x_test, SPLIT.y_test)
    (expected,) = trained([cell(**settings)], shifted)
    for part in ("train", "test"):
        np.testing.assert_allclose(centred[part], expected[part] - f[part], rtol=1e-10, atol=1e-12)
    for name in ("loss", "distance", "norm", "residual"):
        np.testing.assert_allclose(centred[name], expected[name], rtol=1e-10)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_flip_negates_the_start_and_leaves_the_kernel(scheme):
    """The antithetic twin: −f₀, the same kernel, the same norms."""
    plain, twin = (
        start(network={"width": 16, "depth": 3}, init={"scheme": scheme, "flip": flip})
        for flip in (False, True)
    )
    np.testing.assert_allclose(start_function(twin), -start_function(plain), rtol=1e-14, atol=1e-14)
    assert np.array_equal(twin["start_norm"], plain["start_norm"])
    for name in ("kernel_max", "kernel_min", "learning_rate"):
        assert twin[name] == pytest.approx(plain[name], rel=1e-12)


@pytest.mark.parametrize("sigma", [0.5, 3.0])
@pytest.mark.parametrize("depth", [2, 3, 4])
def test_the_scale_multiplies_every_weight(depth, sigma):
    """‖W_l‖ ∝ σ in each of the H layers, f₀ ∝ σ^H and Θ ∝ σ^{2(H−1)} for ReLU."""
    unit, scaled = (
        start(network={"width": 16, "depth": depth}, init={"scale": scale}) for scale in (1.0, sigma)
    )
    np.testing.assert_allclose(scaled["start_norm"], sigma * unit["start_norm"], rtol=1e-14)
    np.testing.assert_allclose(start_function(scaled), sigma**depth * start_function(unit), rtol=1e-11)
    assert scaled["kernel_max"] == pytest.approx(sigma ** (2 * (depth - 1)) * unit["kernel_max"], rel=1e-11)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("depth", [2, 4])
def test_parametrizations_share_their_start_but_not_their_kernel(depth, activation):
    """One draw, one f₀, wherever 1/√fan-in stands; layers then learn at other speeds."""
    ntk, standard = (
        start(
            network={"width": 16, "depth": depth, "activation": activation, "parametrization": name},
            init={"scale": 1.3},
        )
        for name in ("ntk", "standard")
    )
    np.testing.assert_allclose(start_function(standard), start_function(ntk), rtol=1e-11, atol=1e-14)
    fan_in = np.array([5, *[16] * (depth - 1)])
    np.testing.assert_allclose(standard["start_norm"] * fan_in**0.5, ntk["start_norm"], rtol=1e-13)
    assert standard["kernel_max"] > 2 * ntk["kernel_max"]


def test_the_variance_of_the_start_is_the_infinite_width_one():
    """E f₀² = ‖x‖²/2d per hidden ReLU layer, at any width: entries have variance 1/fan-in, no more."""
    model = MLP((5, 8, 8, 1), "relu", "ntk")
    theta = weights(model, networks=3000)
    x = torch.tensor(SPLIT.x_train[:1]).expand(3000, 1, 5)
    squares = Ensemble(model).forward(theta, x)[0].square().flatten().numpy()
    error = squares.std() / len(squares) ** 0.5
    assert abs(squares.mean() - 0.25) < 4 * error < 0.1


@pytest.mark.parametrize("parametrization", ["none", "ntk", "standard"])
def test_units_that_start_balanced_are_as_long_on_both_sides(parametrization):
    """Unit by unit, from the gaussian first layer with the signs of the gaussian second one."""
    network = {"width": 16, "depth": 2, "parametrization": parametrization}
    first, second = weights_at_start(3, network=network, init={"scheme": "neuron_balanced", "scale": 0.5})
    plain = weights_at_start(3, network=network, init={"scale": 0.5})
    assert torch.equal(first, plain[0])
    for j in range(16):
        length = sum(float(entry) ** 2 for entry in first[0, 0, j]) ** 0.5
        assert float(second[0, 0, 0, j]) == pytest.approx(math.copysign(length, plain[1][0, 0, 0, j]))


@pytest.mark.parametrize("parametrization", ["none", "ntk"])
def test_units_that_start_balanced_stay_so_under_small_steps(parametrization):
    """Gradient flow keeps v² − ‖w‖²: 8 times smaller steps move it 8 times less, whatever 1/√fan-in."""
    network = {"width": 16, "depth": 2, "parametrization": parametrization}
    moved = []
    for steps in (32, 256):
        (values,) = trained(
            [
                cell(
                    network=network,
                    init={"scheme": "neuron_balanced"},
                    optimizer={"name": "gd", "lr": 0.02 / steps},
                    stop={"residual": None, "max_steps": steps},
                    predict=[],
                    keep_parameters=True,
                )
            ],
            ONE_OUTPUT,
        )
        first, second = np.split(values["parameters"], [16 * 5])
        moved.append(np.abs(second**2 - np.square(first.reshape(16, 5)).sum(1)).max())
    assert moved[0] / moved[1] == pytest.approx(8, rel=0.2)


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"network": {"depth": 3}}, "neuron_balanced is for one hidden layer"),
        ({"network": {"kind": "dense", "hidden": [4]}}, "neuron_balanced is for network.kind: mlp"),
        ({"init": {"output": "sign"}}, "leave out init.output and init.layer_scales"),
        ({"init": {"layer_scales": [1, 2]}}, "leave out init.output and init.layer_scales"),
        ({"recipe": {"source": "digits", "labels": "onehot"}}, "for one output, and the data have 10"),
    ],
)
def test_what_cannot_start_balanced_unit_by_unit_is_refused(sections, words):
    """Before any job."""
    sections = {"network": {"depth": 2}, "predict": [], **sections}
    sections["init"] = {"scheme": "neuron_balanced"} | sections.get("init", {})
    with pytest.raises(ConfigError, match=words):
        cell(**sections)
