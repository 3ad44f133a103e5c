"""Polyak's heavy ball: v ← μ v + g, θ ← θ − η v, as torch.optim.SGD with momentum.

v knows no step size: where a schedule lowers η, what was gathered before moves the weights less from then on.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

LINEAR = True


def start(theta: Tensor) -> list[Tensor]:
    """`start` returns v = 0."""
    return [torch.zeros_like(theta)]


def step(theta: Tensor, gradient: Tensor, state: list[Tensor], numbers: Mapping[str, Tensor], k: int) -> None:
    """`step` takes v ← μ v + g, θ ← θ − η v."""
    (velocity,) = state
    velocity.mul_(numbers["momentum"]).add_(gradient)
    theta.addcmul_(velocity, numbers["lr"], value=-1)
