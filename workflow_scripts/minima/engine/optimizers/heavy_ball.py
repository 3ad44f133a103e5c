"""Polyak's heavy ball: v ← μ v − η g, θ ← θ + v (torch.optim.SGD's momentum with v = −η·buffer)."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

LINEAR = True


def start(weights: Sequence[Tensor]) -> list[Tensor]:
    """v = 0 per weight."""
    return [torch.zeros_like(weight) for weight in weights]


def step(
    weights: Sequence[Tensor],
    state: list[Tensor],
    numbers: Mapping[str, Tensor],
    add_gradient: Callable[..., None],
    k: int,
) -> None:
    """v ← μ v − η g, θ ← θ + v."""
    for velocity in state:
        velocity.mul_(numbers["momentum"])
    add_gradient(state, -numbers["lr"])
    for weight, velocity in zip(weights, state, strict=True):
        weight.add_(velocity)
