"""Nesterov's method: v ← μ v + g, θ ← θ − η(g + μ v), as torch.optim.SGD(nesterov=True).

The weights θ are the points at which the gradient is taken. With one η this is x' = θ − η g(θ),
θ ← x' + μ(x' − x), where x' − x = −η v; under a schedule v knows no step size, as in `heavy_ball`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from minima.plan.optimizers import OptimizerWithMomentum

if TYPE_CHECKING:
    from torch import Tensor


class Nesterov(OptimizerWithMomentum):
    """v ← μ v + g, θ ← θ − η(g + μ v): the gradient's point θ is the one recorded."""


LINEAR = True
MEMORY = ("momentum", "ahead")


def start(theta: Tensor) -> list[Tensor]:
    """`start` returns v = 0."""
    import torch

    return [torch.zeros_like(theta)]


def step(theta: Tensor, gradient: Tensor, state: list[Tensor], numbers: Mapping[str, Tensor], k: int) -> None:
    """`step` takes v ← μ v + g, θ ← θ − η(g + μ v), with a constant μ."""
    (velocity,) = state
    velocity.mul_(numbers["momentum"]).add_(gradient)
    theta.addcmul_(gradient.addcmul_(velocity, numbers["momentum"]), numbers["lr"], value=-1)
