"""Nesterov's method for convex losses: μ_k = (k − 1)/(k + r − 1) at step k = 1, 2 …

As it is written, x' = θ − η g(θ), θ ← x' + μ(x' − x): the weights θ are the points at which the gradient is
taken; the iterates x are the state.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

LINEAR = True


def start(theta: Tensor) -> list[Tensor]:
    """`start` returns x = θ."""
    return [theta.clone()]


def step(theta: Tensor, gradient: Tensor, state: list[Tensor], numbers: Mapping[str, Tensor], k: int) -> None:
    """`step` takes x' = θ − η g(θ), θ ← x' + μ(x' − x)."""
    look_ahead(theta, gradient, state, numbers["lr"], (k - 1) / (k + numbers["r"] - 1))


def look_ahead(theta: Tensor, gradient: Tensor, state: list[Tensor], lr: Tensor, momentum: Tensor) -> None:
    """`look_ahead` takes one step with momentum μ per network."""
    (iterate,) = state
    theta.addcmul_(gradient, lr, value=-1)
    moved = torch.sub(theta, iterate, out=gradient)
    iterate.copy_(theta)
    theta.addcmul_(moved, momentum)
