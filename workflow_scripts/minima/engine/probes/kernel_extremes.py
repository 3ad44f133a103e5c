"""Extreme eigenvalues of the tangent kernel of the training points."""

from torch import Tensor

from minima.engine.decompositions import eigvalsh
from minima.engine.state import State
from minima.engine.tangent import tangent_kernel


def measure(state: State) -> Tensor:
    """`measure` returns the smallest and the largest eigenvalue [E, 2]."""
    kernel = tangent_kernel(state.ensemble, state.weights, state.x, state.x.shape[1])
    return eigvalsh(kernel)[:, [0, -1]]
