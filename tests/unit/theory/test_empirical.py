"""The tangent kernel, of layers and of modules, is the one of the Jacobian that autograd finds."""

from itertools import product

import pytest
import torch
from tests.unit.helpers import PHI, jacobian, weights
from torch import nn

from minima.engine.ensemble import Ensemble
from minima.engine.jacobians import layers
from minima.engine.networks.mlp import MLP
from minima.theory.empirical import module_kernel, tangent_kernel

READOUTS = {"one copy": (1.0,), "antisymmetric": (0.5**0.5, -(0.5**0.5)), "three": (0.3, -1.2, 0.5)}


def points(networks, number=6):
    generator = torch.Generator().manual_seed(number)
    return torch.randn(networks, number, 5, generator=generator, dtype=torch.float64)


def net(depth, activation, parametrization, outputs):
    return MLP((5, *(6, 4, 7)[: depth - 1], outputs), activation, parametrization)


def assert_is_autograds(found, ensemble, theta, x, columns):
    """Each network's kernel against J Jᵀ, to 1e-10 of its largest entry."""
    outputs = ensemble.model.sizes[-1]
    assert found.shape == (len(x), x.shape[1] * outputs, columns * outputs)
    for row in range(len(x)):
        rows = jacobian(ensemble, [weight[row] for weight in theta], x[row])
        expected = rows @ rows[: columns * outputs].T
        assert (found[row] - expected).abs().max() <= 1e-10 * expected.abs().max()


@pytest.mark.parametrize(
    ("depth", "activation", "parametrization", "outputs"),
    list(product((2, 3, 4), PHI, ("ntk", "standard"), (1, 3))),
)
def test_the_kernel_is_autograds(depth, activation, parametrization, outputs):
    """Every activation, depth, parametrization and number of outputs, with fewer columns than rows: the
    block of two outputs of one pair of points stands where the Jacobian's row order puts it."""
    ensemble = Ensemble(net(depth, activation, parametrization, outputs))
    theta, x = weights(ensemble.model, 2, seed=depth), points(2)
    assert_is_autograds(tangent_kernel(ensemble, theta, x, 4), ensemble, theta, x, 4)


@pytest.mark.parametrize("readout", READOUTS.values(), ids=READOUTS)
@pytest.mark.parametrize("outputs", [1, 2])
def test_the_kernel_of_an_ensemble_is_autograds(readout, outputs):
    """Copies with weights of their own add up with the squares of their readout."""
    ensemble = Ensemble(net(3, "relu", "ntk", outputs), readout)
    theta, x = weights(ensemble.model, 3, len(readout), seed=1), points(3)
    assert_is_autograds(tangent_kernel(ensemble, theta, x, 5), ensemble, theta, x, 5)


@pytest.mark.parametrize("columns", [1, 3, 6])
def test_columns_are_the_first_points(columns):
    """A rectangular kernel is a part of the square one, which is symmetric."""
    ensemble = Ensemble(net(3, "erf", "standard", 2))
    theta, x = weights(ensemble.model, 2), points(2)
    whole = tangent_kernel(ensemble, theta, x, 6)
    torch.testing.assert_close(whole, whole.mT, rtol=1e-13, atol=1e-13)
    part = tangent_kernel(ensemble, theta, x, columns)
    torch.testing.assert_close(part, whole[:, :, : 2 * columns], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("activation", PHI)
def test_the_kernel_leaves_its_inputs(activation):
    """The weights it is given are trained afterwards."""
    ensemble = Ensemble(net(3, activation, "ntk", 2), READOUTS["antisymmetric"])
    theta, x = weights(ensemble.model, 2, 2), points(2)
    before = [tensor.clone() for tensor in (*theta, x)]
    tangent_kernel(ensemble, theta, x, 6)
    assert all(torch.equal(*pair) for pair in zip(before, (*theta, x), strict=True))


def test_blocks_of_rows_do_not_show(monkeypatch):
    """Row by row it is the kernel computed at once, of several networks with copies."""
    ensemble = Ensemble(net(4, "tanh", "ntk", 2), READOUTS["three"])
    theta, x = weights(ensemble.model, 2, 3), points(2)
    whole = tangent_kernel(ensemble, theta, x, 5)
    for block in (1, 2 * 5 * 4 * 4):
        monkeypatch.setattr(layers, "BLOCK", block)
        torch.testing.assert_close(tangent_kernel(ensemble, theta, x, 5), whole, rtol=1e-13, atol=1e-13)


def test_frozen_layers_have_no_part_in_the_kernel():
    """Only what is trained counts, the last layer too."""
    x = points(1)
    parts = []
    for frozen in ((), (0,), (1, 2), (0, 1), (2,)):
        ensemble = Ensemble(MLP((5, 6, 4, 2), "relu", "ntk", frozen))
        parts.append(tangent_kernel(ensemble, weights(ensemble.model, 1), x, 6))
    whole, without_first, first, last, without_last = parts
    torch.testing.assert_close(without_first + first, whole, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(without_last + last, whole, rtol=1e-12, atol=1e-12)


def test_float32_agrees_to_its_own_precision():
    """And the kernel's type is that of the weights."""
    ensemble = Ensemble(net(3, "relu", "ntk", 3))
    theta, x = weights(ensemble.model, 1), points(1)
    exact = tangent_kernel(ensemble, theta, x, 6)
    single = tangent_kernel(ensemble, [weight.float() for weight in theta], x.float(), 6)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), exact, rtol=0, atol=1e-5 * float(exact.abs().max()))


class Module(nn.Module):
    """An MLP as anyone would write it, in the `ntk` parametrization."""

    def __init__(self, layers):
        super().__init__()
        self.layers = nn.ParameterList(layers)

    def forward(self, x):
        for layer, weight in enumerate(self.layers):
            x = (x.relu() if layer else x) @ weight.T / weight.shape[1] ** 0.5
        return x


def test_a_modules_kernel_is_the_structured_one():
    """Of a module whose weights are in no layer, square and rectangular."""
    ensemble = Ensemble(net(3, "relu", "ntk", 3))
    theta, x = weights(ensemble.model, 1), points(1)
    structured = tangent_kernel(ensemble, theta, x, 4)[0]
    module = Module([weight[0, 0] for weight in theta])
    found = module_kernel(module, x[0], x[0, :4])
    torch.testing.assert_close(found, structured, rtol=1e-12, atol=1e-12)
    square = module_kernel(module, x[0])
    torch.testing.assert_close(square, square.T, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(square[:, : found.shape[1]], found, rtol=1e-12, atol=1e-12)


def test_a_modules_frozen_parameters_have_no_part():
    """requires_grad says what is trained."""
    ensemble = Ensemble(MLP((5, 6, 4, 2), "relu", "ntk", (0,)))
    theta, x = weights(ensemble.model, 1), points(1)
    module = Module([weight[0, 0] for weight in theta])
    module.layers[0].requires_grad_(False)
    expected = tangent_kernel(ensemble, theta, x, 6)[0]
    torch.testing.assert_close(module_kernel(module, x[0]), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_device_does_not_matter(dtype):
    """Structured and by jvp, a CUDA device finds what the CPU finds."""
    ensemble = Ensemble(net(3, "relu", "ntk", 3))
    theta, x = [weight.to(dtype) for weight in weights(ensemble.model, 1)], points(1).to(dtype)
    there, x_there = [weight.cuda() for weight in theta], x.cuda()
    largest = float(tangent_kernel(ensemble, theta, x, 6).max())
    close = {"rtol": 0, "atol": 100 * torch.finfo(dtype).eps * largest}
    expected = tangent_kernel(ensemble, theta, x, 6)
    torch.testing.assert_close(tangent_kernel(ensemble, there, x_there, 6).cpu(), expected, **close)
    found = module_kernel(Module([weight[0, 0] for weight in there]), x_there[0])
    torch.testing.assert_close(found.cpu(), tangent_kernel(ensemble, theta, x, 6)[0], **close)
