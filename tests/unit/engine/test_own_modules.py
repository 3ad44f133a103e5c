"""Modules of a user's own, of any layers: PyTorch itself is the oracle."""

from math import prod
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.unit.engine import own_nets
from tests.unit.engine.own_nets import Residual, Tied, Transformer
from tests.unit.helpers import cell, trained
from torch import nn
from torch.nn import functional

from minima.engine.draws import start
from minima.engine.ensemble import Ensemble
from minima.engine.foreign import seeded
from minima.engine.inits import kaiming, own
from minima.engine.networks.module import ModuleNet
from minima.streams import stream
from minima.training.start import Arrays

ROWS = (8, 8)  # images of digits, a row of pixels as a token
NETS = [pytest.param(net, id=net.__name__.lower()) for net in (Transformer, Tied, Residual)]


def tensors(net, networks=2):
    """Starts of some networks, [E, 1, out, in] per tensor."""
    drawn = [start(own, net, {"scale": 1.0}, seed) for seed in range(networks)]
    return [torch.tensor(np.stack(each)) for each in zip(*drawn, strict=True)]


@pytest.mark.parametrize("networks", [1, 2])
@pytest.mark.parametrize("make", NETS)
def test_any_module_has_pytorchs_function_and_gradient(make, networks):
    """Parameters in any layer or on the module itself; what is tied is one tensor with the whole gradient."""
    net = ModuleNet.of(make, ROWS)
    ensemble, theta = Ensemble(net), tensors(net, networks)
    x = torch.randn(networks, 5, prod(ROWS), dtype=torch.float64)
    delta = torch.randn(networks, 5, 3, dtype=torch.float64)
    f, tape = ensemble.forward(theta, x, training=True)
    gradients = [torch.zeros_like(w) for w in theta]
    ensemble.gradients(theta, tape, delta, [g if i in net.trained else None for i, g in enumerate(gradients)])
    for e in range(networks):
        module = make().double()
        with torch.no_grad():
            for parameter, weight in zip(module.parameters(), theta, strict=False):
                parameter.copy_(weight[e].reshape(parameter.shape))
        expected = module(x[e].unflatten(1, ROWS))
        torch.testing.assert_close(f[e], expected.detach(), rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(ensemble.forward(theta, x)[0][e], f[e], rtol=1e-10, atol=1e-12)
        wanted = torch.autograd.grad(expected, [*module.parameters()], delta[e])
        for found, gradient in zip(gradients, wanted, strict=False):
            torch.testing.assert_close(found[e].reshape(gradient.shape), gradient, rtol=1e-10, atol=1e-12)


def test_tied_weights_count_once():
    net = ModuleNet.of(Tied, ROWS)
    assert [entry.name for entry in net.entries] == [
        "up.weight",
        "down.weight",
        "down.bias",
        "inner.weight",
        "inner.bias",
        "out.weight",
        "out.bias",
    ]
    assert sum(prod(shape) for shape in net.weight_shapes) == sum(p.numel() for p in Tied().parameters())


@pytest.mark.parametrize("make", NETS)
def test_a_module_starts_as_it_starts_itself_by_the_seed(make):
    """Again the same, another one under another seed, and nothing else that draws notices."""
    net = ModuleNet.of(make, ROWS)
    before = torch.get_rng_state()
    first, again, other = (start(own, net, {"scale": 1.0}, seed) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])
    with seeded(0):
        theirs = dict(make().named_parameters())
    for entry, weight in zip(net.entries, first, strict=True):
        if entry.name in theirs and weight.size >= 24:  # of which the deviation is known to a third
            deviation = float(theirs[entry.name].detach().std(correction=0))
            assert weight.std() == pytest.approx(deviation, rel=0.5)


def test_scale_multiplies_all_but_normalizations_and_buffers():
    net = ModuleNet.of(Transformer, ROWS)
    for entry, one, three in zip(
        net.entries, *(start(own, net, {"scale": scale}, 0) for scale in (1.0, 3.0)), strict=True
    ):
        still = "norm" in entry.name or entry.name == "wave"
        np.testing.assert_allclose(three, one if still else 3 * one, rtol=1e-15)


def test_what_a_scheme_does_not_draw_starts_as_the_module_has_it():
    """He's variance is for linear and convolutional layers; embeddings and normalizations keep their own."""
    net = ModuleNet.of(Transformer, ROWS)
    drawn, mine = start(kaiming, net, {"scale": 1.0}, 0), net.own(0)
    same = {entry.name for entry, a, b in zip(net.entries, drawn, mine, strict=True) if np.array_equal(a, b)}
    assert {"place", "wave", "block.norm1.weight", "block.self_attn.in_proj_weight"} <= same
    assert not same & {"embed.weight", "block.linear1.weight", "out.weight"}


def test_frozen_parameters_of_a_module_are_not_trained():
    """requires_grad: False says that; the others' gradients do not change."""

    def make():
        module = nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.ReLU(), nn.Linear(4, 3))
        module[1].requires_grad_(False)
        return module

    net = ModuleNet.of(make, ROWS)
    assert net.trained == [2, 3]
    assert net.parameters == [0, 1, 2, 3]
    theta, x = tensors(net, 1), torch.randn(1, 5, 64, dtype=torch.float64)
    f, tape = Ensemble(net).forward(theta, x, training=True)
    gradients = [torch.zeros_like(w) for w in theta]
    Ensemble(net).gradients(theta, tape, torch.ones_like(f), [None, None, *gradients[2:]])
    hidden = functional.linear(x[0], theta[0][0, 0], theta[1][0, 0, 0]).relu()
    torch.testing.assert_close(gradients[2][0, 0], hidden.sum(0).expand(3, 4), rtol=1e-10, atol=1e-12)


# Training


def split(points=12, tests=5):
    rng = np.random.default_rng(0)
    y = np.eye(3)[rng.integers(3, size=points + tests)]
    x = rng.normal(size=(points + tests, 64))
    return Arrays(x[:points], y[:points], x[points:], y[points:], shape=ROWS)


def own_cell(name, steps=10, **sections):
    return cell(
        seed=5,
        recipe={
            "source": "digits",
            "classes": [0, 1, 2],
            "labels": "onehot",
            "train_size": 12,
            "test_size": 5,
        },
        network={"kind": "module", "file": own_nets.__file__, "name": name},
        stop={"max_steps": steps},
        record={"steps": [0, steps], "probes": ["norm", "distance"]},
        dtype="float64",
        keep_parameters=True,
        **sections,
    )


def theirs(name, data, optimizer, batches, loss):
    """The loop a user would write, from the start that the seed gives: outputs on test rows, parameters."""
    with seeded(int(stream(5, "weights/own").integers(2**32))):
        module = getattr(own_nets, name)()
    module, (x, y) = module.double(), map(torch.tensor, (data.x_train, data.y_train))
    steps = optimizer(module.parameters())
    for rows in batches:
        steps.zero_grad()
        loss(module(x[rows].unflatten(1, ROWS)), y[rows]).backward()
        steps.step()
    with torch.no_grad():
        f = module.eval()(torch.tensor(data.x_test).unflatten(1, ROWS))
    return f.numpy(), torch.cat([p.detach().flatten() for p in module.parameters()]).numpy()


def batches_of(size, steps, points=12):
    draw, found = stream(5, "batches"), []
    while len(found) < steps:
        order = draw.permutation(points)
        found += [order[begin : begin + size] for begin in range(0, points, size)]
    return found[:steps]


@pytest.mark.parametrize("name", ["Transformer", "Residual", "Tied"])
@pytest.mark.parametrize(
    ("options", "oracle"),
    [
        ({"name": "sgd", "lr": 0.05, "batch_size": 5}, lambda p: torch.optim.SGD(p, 0.05)),
        ({"name": "adam", "lr": 0.01, "batch_size": 5}, lambda p: torch.optim.Adam(p, 0.01)),
    ],
    ids=["sgd", "adam"],
)
def test_training_is_the_loop_a_user_would_write(name, options, oracle):
    """The module's own start under the cell's seed, the same batches, torch.optim's steps."""
    data = split()
    (values,) = trained([own_cell(name, loss="cross_entropy", optimizer=options)], data)
    f, parameters = theirs(name, data, oracle, batches_of(5, 10), functional.cross_entropy)
    np.testing.assert_allclose(values["test"], f, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(values["parameters"][: len(parameters)], parameters, rtol=1e-10, atol=1e-10)
    buffers = {"Transformer": 8}.get(name, 0)
    assert len(values["parameters"]) == len(parameters) + buffers, "tied weights count once"


def test_gradient_descent_on_all_rows_is_that_of_pytorch():
    """The loss of minima.engine.losses.mse is half the mean over the points, summed over the outputs."""
    data = split()
    (values,) = trained([own_cell("Residual", optimizer={"name": "gd", "lr": 0.1})], data)
    f, _ = theirs(
        "Residual",
        data,
        lambda p: torch.optim.SGD(p, 0.1),
        [np.arange(12)] * 10,
        lambda f, y: (f - y).square().sum(1).mean() / 2,
    )
    np.testing.assert_allclose(values["test"], f, rtol=1e-10, atol=1e-10)


def test_a_cell_does_not_depend_on_the_place_of_the_file(tmp_path):
    """The same class in another folder gives the same numbers."""
    (tmp_path / "elsewhere.py").write_text(Path(own_nets.__file__).read_text())
    one = own_cell("Residual", steps=3, optimizer={"name": "sgd", "lr": 0.05, "batch_size": 5})
    other = one | {"network": one["network"] | {"file": str(tmp_path / "elsewhere.py")}}
    here, there = (trained([fields], split())[0] for fields in (one, other))
    np.testing.assert_array_equal(here["parameters"], there["parameters"])


def test_theory_says_where_the_linearization_of_any_module_ends():
    """f₀ + Θ(x, X) Θ(X, X)⁻¹ (y − f₀), with J by torch.func of the plain module."""
    data = split(points=6)
    one = own_cell("Transformer", optimizer={"name": "gd", "lr": {"relative": 0.5}}, predict=["linearized"])
    (values,) = trained([one], data)
    with seeded(int(stream(5, "weights/own").integers(2**32))):
        module = Transformer().double()
    named = {name: p.detach() for name, p in module.named_parameters()}
    x = torch.tensor(np.concatenate([data.x_train, data.x_test])).unflatten(1, ROWS)

    def f(own):
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            return torch.func.functional_call(module, own, (x,)).flatten()

    rows = torch.cat([part.flatten(1) for part in torch.func.jacrev(f)(named).values()], 1).detach()
    kernel, f0 = rows @ rows.T, f(named).detach()
    seen = slice(0, data.y_train.size)
    dual = torch.linalg.solve(kernel[seen, seen], torch.tensor(data.y_train).flatten() - f0[seen])
    expected = (f0 + kernel[:, seen] @ dual).view(-1, 3)[len(data.x_train) :]
    np.testing.assert_allclose(values["linearized_test"], expected.numpy(), rtol=1e-6, atol=1e-8)
