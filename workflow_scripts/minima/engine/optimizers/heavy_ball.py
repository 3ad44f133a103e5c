"""Polyak's heavy ball: v ← μ v + g, θ ← θ − η v, as torch.optim.SGD with momentum.

v knows no step size: where a schedule lowers η, what was gathered before moves the weights less from then on.
"""

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
    """v ← μ v + g, θ ← θ − η v."""
    for velocity in state:
        velocity.mul_(numbers["momentum"])
    add_gradient(state)
    for weight, velocity in zip(weights, state, strict=True):
        weight.addcmul_(velocity, numbers["lr"], value=-1)
