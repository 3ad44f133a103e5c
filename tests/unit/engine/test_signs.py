"""The probe flips of any module: PyTorch's own hooks, or the forward pass written out, are the oracle."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional

from minima.engine.ensemble import Ensemble
from minima.engine.losses import mse
from minima.engine.models import cnn
from minima.engine.networks.module import net_of
from minima.engine.probes import flips
from minima.engine.state import State

CNN = {"channels": [3, 4, 5], "hidden": 7, "batch_norm": False, "bias": True}
SHAPE = (1, 8, 8)


def state(net, tensors, copies=1, networks=2, points=6):
    """Networks away from their start."""
    torch.manual_seed(0)
    lead = networks, copies
    start = [torch.randn(*lead, *tensor, dtype=torch.float64) / tensor[-1] ** 0.5 for tensor in tensors]
    now = [weight + 0.3 * torch.randn_like(weight) for weight in start]
    x = torch.randn(networks, points, 64, dtype=torch.float64)
    y = torch.zeros(networks, points, 1, dtype=torch.float64)
    return State(Ensemble(net, (0.6, -0.8)[:copies] if copies > 1 else (1.0,)), mse.loss, now, start, x, y, y)


def fractions(at, signs):
    """From `signs(weights [out, in], x)` of one network, a list of booleans."""
    found = []
    for e in range(len(at.x)):
        copies = [
            [signs([w[e, k] for w in weights], at.x[e]) for weights in (at.weights, at.start)]
            for k in range(at.weights[0].shape[1])
        ]
        layers = zip(*([a != b for a, b in zip(*pair, strict=True)] for pair in copies), strict=True)
        found.append([float(torch.stack(layer).double().mean()) for layer in layers])
    return torch.tensor(found, dtype=torch.float64)


@pytest.mark.parametrize("copies", [1, 2])
def test_of_a_convolutional_net_they_are_those_of_its_relus(copies):
    """Per ReLU, over pixels, channels and points: against hooks on the layers. Pooling has no sign."""
    net = cnn.build(CNN, SHAPE, 2)
    at = state(net, net.weight_shapes, copies)

    def signs(weights, x):
        seen, hooks = [], []
        for layer in net.module.modules():
            if isinstance(layer, nn.ReLU):
                hooks.append(layer.register_forward_hook(lambda _, given, out: seen.append(given[0] > 0)))
        tensors = {e.name: w.reshape(e.shape) for e, w in zip(net.entries, weights, strict=True)}
        functional_call(net.module, tensors, (x.view(-1, *SHAPE),))
        for hook in hooks:
            hook.remove()
        return seen

    found = flips.measure(at)
    assert found.shape == (2, 4)
    assert ((found > 0) & (found < 1)).all()
    torch.testing.assert_close(found, fractions(at, signs), rtol=1e-12, atol=0)


WAYS = {
    "functional": functional.relu,
    "in place": partial(functional.relu, inplace=True),
    "torch": torch.relu,
    "method": lambda a: a.relu(),
    "method in place": lambda a: a.relu_(),
    "clamp": lambda a: a.clamp(min=0),
    "clamp_min": lambda a: torch.clamp_min(a, 0.0),
    "leaky": lambda a: functional.leaky_relu(a, 0.1),
    "gelu": functional.gelu,
    "silu": functional.silu,
    "tanh": torch.tanh,
    "layer": nn.ELU(),
    "keyword": lambda a: functional.relu(input=a),
}


class Functional(nn.Module):
    """One hidden layer; outputs are clipped, which is no activation function."""

    def __init__(self, way):
        super().__init__()
        self.into, self.out, self.way = nn.Linear(64, 5), nn.Linear(5, 1), way

    def forward(self, x):
        return self.out(self.way(self.into(x.flatten(1)))).clamp(-9, 9)


@pytest.mark.parametrize("way", WAYS)
def test_however_a_module_calls_its_activation_function(way):
    """By layer, function or method, over its own input or not."""
    net, tensors = net_of(Functional(WAYS[way]).double(), SHAPE)
    at = state(net, [tuple(tensor.shape[2:]) for tensor in tensors])

    def signs(weights, x):
        matrix, bias, *_ = weights
        return [x @ matrix.T + bias > 0]

    torch.testing.assert_close(flips.measure(at), fractions(at, signs), rtol=1e-12, atol=0)


def test_nothing_changes_sign_at_the_start():
    net, tensors = net_of(Functional(torch.tanh).double(), SHAPE)
    at = state(net, [tuple(tensor.shape[2:]) for tensor in tensors])
    still = State(at.ensemble, at.loss, at.start, at.start, at.x, at.y, at.f)
    assert (flips.measure(still) == 0).all()


def test_a_module_without_activation_functions_has_no_signs():
    """A probe of nothing is refused, not stored as empty."""
    net, tensors = net_of(Functional(lambda a: a).double(), SHAPE)
    with pytest.raises(ValueError, match="Functional calls no activation function"):
        flips.measure(state(net, [tuple(tensor.shape[2:]) for tensor in tensors]))
