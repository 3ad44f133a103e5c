"""Polyak's heavy ball: v ← μ v + g, θ ← θ − η v, as torch.optim.SGD with momentum.

v knows no step size: where a schedule lowers η, what was gathered before moves the weights less from then on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from minima.plan.optimizers import OptimizerWithMomentum

if TYPE_CHECKING:
    from torch import Tensor


class HeavyBall(OptimizerWithMomentum):
    """Polyak's momentum: v ← μ v + g, θ ← θ − η v."""


LINEAR = True
MEMORY = ("momentum", "sum")


def start(theta: Tensor) -> list[Tensor]:
    """`start` returns v = 0."""
    import torch

    return [torch.zeros_like(theta)]


def step(theta: Tensor, gradient: Tensor, state: list[Tensor], numbers: Mapping[str, Tensor], k: int) -> None:
    """`step` takes v ← μ v + g, θ ← θ − η v."""
    (velocity,) = state
    velocity.mul_(numbers["momentum"]).add_(gradient)
    theta.addcmul_(velocity, numbers["lr"], value=-1)
