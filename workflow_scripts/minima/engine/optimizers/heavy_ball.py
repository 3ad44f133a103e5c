"""Polyak's heavy ball: v ← μ v − η g, θ ← θ + v (torch.optim.SGD's momentum with v = −η·buffer)."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor


def start(weights: Sequence[Tensor]) -> list[Tensor]:
    """v = 0 per weight."""
    return [torch.zeros_like(weight) for weight in weights]


def step(
    weights: Sequence[Tensor],
    gradients: Sequence[Tensor],
    state: Sequence[Tensor],
    numbers: Mapping[str, Tensor],
) -> None:
    """One step in place; η and μ per network."""
    for weight, gradient, velocity in zip(weights, gradients, state, strict=True):
        velocity.mul_(numbers["momentum"]).addcmul_(gradient, numbers["lr"], value=-1)
        weight.add_(velocity)
