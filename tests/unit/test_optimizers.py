"""The optimizers are PyTorch's, with numbers of its own for each network of a stack."""

from importlib import import_module

import pytest
import torch
from tests.unit.helpers import naive_ensemble, weights

from minima.engine.core import Ensemble, Rules, train
from minima.engine.models.mlp import MLP

STEPS = 200
OPTIMIZERS = {
    "gd": {"lr": [0.3, 0.05, 0.8, 0.1]},
    "heavy_ball": {"lr": [0.3, 0.05, 0.02, 0.1], "momentum": [0.0, 0.9, 0.5, 0.7]},
}


def problem(copies):
    """Four networks of their own, on points of their own."""
    model = MLP((5, 7, 6, 2), "tanh", "ntk")
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(4, 10, 5, generator=generator, dtype=torch.float64)
    y = torch.randn(4, 10, 2, generator=generator, dtype=torch.float64)
    return model, weights(model, 4, copies), x, y


def never(networks):
    """No network stops before the last step."""
    none = torch.full((networks,), -1.0, dtype=torch.float64)
    return Rules(none, none, STEPS, [0, STEPS], [])


def torchs(ensemble, theta, x, y, lr, momentum=0.0):
    """Weights of one network after as many steps of torch.optim.SGD on autograd's gradients."""
    theta = [weight.clone().requires_grad_() for weight in theta]
    optimizer = torch.optim.SGD(theta, lr=lr, momentum=momentum)
    for _ in range(STEPS):
        optimizer.zero_grad()
        ((naive_ensemble(ensemble, theta, x) - y).square().sum() / (2 * len(y))).backward()
        optimizer.step()
    return [weight.detach() for weight in theta]


@pytest.mark.parametrize("readout", [(1.0,), (0.5**0.5, -(0.5**0.5))], ids=["one copy", "antisymmetric"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_trajectory_is_that_of_torchs_sgd(name, readout):
    """After 200 steps every weight is PyTorch's to 1e-12: learning rates and momenta reach their network."""
    model, theta, x, y = problem(len(readout))
    ensemble = Ensemble(model, readout)
    numbers = OPTIMIZERS[name]
    optimizer = import_module(f"minima.engine.optimizers.{name}")
    tensors = {key: torch.tensor(value, dtype=torch.float64) for key, value in numbers.items()}
    start = [weight.clone() for weight in theta]
    finished = list(train(ensemble, theta, x, y, optimizer, tensors, never(4)))
    assert [(done.index, done.status, done.steps) for done in finished] == [
        (row, "stopped", STEPS) for row in range(4)
    ]
    for done in finished:
        own = {key: value[done.index] for key, value in numbers.items()}
        at = [weight[done.index] for weight in start]
        expected = torchs(ensemble, at, x[done.index], y[done.index], **own)
        for found, wanted in zip(done.weights, expected, strict=True):
            assert (found - wanted).abs().max() <= 1e-12 * wanted.abs().max()


def test_heavy_ball_without_momentum_is_gd():
    """μ = 0 leaves plain gradient descent."""
    ends = []
    for name, extra in (("gd", {}), ("heavy_ball", {"momentum": torch.zeros(4)})):
        model, theta, x, y = problem(1)
        optimizer = import_module(f"minima.engine.optimizers.{name}")
        numbers = {"lr": torch.full((4,), 0.2)} | extra
        ends.append([d.weights for d in train(Ensemble(model), theta, x, y, optimizer, numbers, never(4))])
    for gd, heavy_ball in zip(*ends, strict=True):
        for found, wanted in zip(heavy_ball, gd, strict=True):
            torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)
