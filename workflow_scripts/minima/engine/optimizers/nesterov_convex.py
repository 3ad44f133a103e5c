"""Nesterov's method for convex losses: μ_k = (k − 1)/(k + r − 1) at step k = 1, 2 …

As it is written, x' = θ − η g(θ), θ ← x' + μ(x' − x): the weights θ are the points at which the gradient is
taken; the iterates x are the state.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

LINEAR = True


def start(weights: Sequence[Tensor]) -> list[Tensor]:
    """x = θ."""
    return [weight.clone() for weight in weights]


def step(
    weights: Sequence[Tensor],
    state: list[Tensor],
    numbers: Mapping[str, Tensor],
    add_gradient: Callable[..., None],
    k: int,
) -> None:
    """x' = θ − η g(θ), θ ← x' + μ(x' − x)."""
    look_ahead(weights, state, numbers["lr"], (k - 1) / (k + numbers["r"] - 1), add_gradient)


def look_ahead(
    weights: Sequence[Tensor],
    iterates: list[Tensor],
    lr: Tensor,
    momentum: Tensor,
    add_gradient: Callable[..., None],
) -> None:
    """One step with momentum μ per network."""
    add_gradient(weights, -lr)
    for weight, iterate in zip(weights, iterates, strict=True):
        moved = torch.sub(weight, iterate)
        iterate.copy_(weight)
        weight.addcmul_(moved, momentum)
