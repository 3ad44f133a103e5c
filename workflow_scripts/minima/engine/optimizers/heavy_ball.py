"""Polyak's heavy ball: v ← μ v − η g, θ ← θ + v (torch.optim.SGD's momentum with v = −η·buffer)."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor


def start(weights: Sequence[Tensor]) -> list[Tensor]:
    """v = 0 per weight."""
    return [torch.zeros_like(weight) for weight in weights]


def step(
    weights: Sequence[Tensor],
    state: Sequence[Tensor],
    numbers: Mapping[str, Tensor],
    add_gradient: Callable[..., None],
) -> None:
    """One step in place; η and μ per network; `add_gradient(into, c)` adds c·g to `into`."""
    for velocity in state:
        velocity.mul_(numbers["momentum"])
    add_gradient(state, -numbers["lr"])
    for weight, velocity in zip(weights, state, strict=True):
        weight.add_(velocity)
