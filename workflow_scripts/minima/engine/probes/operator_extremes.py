"""Extreme eigenvalues of τ, by which two linear layers turn a gradient of their product into its motion:

    τ(M) = M W2W2ᵀ + W1ᵀW1 M   for M [inputs, outputs], in the space that the points span

each a sum of an eigenvalue of W2W2ᵀ and one of W1ᵀW1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.marks import ProbeOfLinearNets

if TYPE_CHECKING:
    from torch import Tensor

    from minima.engine.state import State

SAME_IN = ("narrow",)


class OperatorExtremes(ProbeOfLinearNets):
    """Least and largest eigenvalue of τ(M) = M W2W2ᵀ + W1ᵀW1 M of two linear layers."""

    dims = ("extreme",)


def measure(state: State) -> Tensor:
    """`measure` returns the least and the largest eigenvalue [E, 2], of all copies."""
    import torch

    from minima.engine.decompositions import eigvalsh
    from minima.engine.seen import row_space

    first, second = state.weights[0] @ row_space(state.x), state.weights[1]
    extremes = sum(eigvalsh(gram)[..., [0, -1]] for gram in (first.mT @ first, second @ second.mT))
    return torch.stack([extremes[..., 0].amin(1), extremes[..., 1].amax(1)], 1)
