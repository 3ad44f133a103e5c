"""Nesterov's method: v ← μ v + g, θ ← θ − η(g + μ v), as torch.optim.SGD(nesterov=True).

The weights θ are the points at which the gradient is taken. With one η this is x' = θ − η g(θ),
θ ← x' + μ(x' − x), where x' − x = −η v; under a schedule v knows no step size, as in `heavy_ball`.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from minima.engine.optimizers.gradient import fill

LINEAR = True


def start(weights: Sequence[Tensor]) -> list[Tensor]:
    """g and v."""
    return [torch.zeros_like(weight) for weight in [*weights, *weights]]


def step(
    weights: Sequence[Tensor],
    state: list[Tensor],
    numbers: Mapping[str, Tensor],
    add_gradient: Callable[..., None],
    k: int,
) -> None:
    """Constant μ."""
    gradients, velocities = state[: len(weights)], state[len(weights) :]
    fill(gradients, add_gradient)
    rate, momentum = numbers["lr"], numbers["momentum"]
    for weight, gradient, velocity in zip(weights, gradients, velocities, strict=True):
        velocity.mul_(momentum).add_(gradient)
        weight.addcmul_(gradient, rate, value=-1).addcmul_(velocity, rate * momentum, value=-1)
