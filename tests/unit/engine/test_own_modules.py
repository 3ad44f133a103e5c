"""Modules of a user's own, of any layers: PyTorch itself is the oracle."""

from math import prod

import numpy as np
import pytest
import torch
from tests.unit.engine.own_nets import Residual, Tied, Transformer
from torch import nn
from torch.nn import functional

from minima.engine.draws import start
from minima.engine.ensemble import Ensemble
from minima.engine.foreign import seeded
from minima.engine.inits import kaiming, own
from minima.engine.networks.module import ModuleNet

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
