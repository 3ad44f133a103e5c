"""The layer-by-layer tangent kernel is the one of the Jacobian that autograd finds."""

from itertools import product

import pytest
import torch
from tests.unit.helpers import PHI, jacobian, weights

from minima.engine.ensemble import Ensemble
from minima.engine.models.mlp import MLP
from minima.theory.empirical import tangent_kernel

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
