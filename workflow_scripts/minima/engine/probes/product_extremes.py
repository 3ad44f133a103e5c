"""Extreme singular values of the product of two linear layers, on what the points see of its inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.marks import ProbeOfLinearNets

if TYPE_CHECKING:
    from torch import Tensor

    from minima.engine.state import State

SAME_IN = ("narrow",)


class ProductExtremes(ProbeOfLinearNets):
    """Least and largest singular value of the product of two linear layers, of what the points see."""

    dims = ("extreme",)


def measure(state: State) -> Tensor:
    """`measure` returns the least and the largest singular value [E, 2], of all copies."""
    import torch

    from minima.engine.seen import row_space

    product = state.weights[1] @ (state.weights[0] @ row_space(state.x))
    values = torch.linalg.svdvals(product)
    return torch.stack([values[..., -1].amin(1), values[..., 0].amax(1)], 1)
