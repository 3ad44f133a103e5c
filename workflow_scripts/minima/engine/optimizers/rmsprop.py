"""RMSprop: S ← αS + (1 − α)g², θ ← θ − η g/(√S + ε), as torch.optim.RMSprop."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from minima.engine.optimizers.gradient import divided, fill, inverse


def start(weights: Sequence[Tensor]) -> list[Tensor]:
    """g and S."""
    return [torch.zeros_like(weight) for weight in [*weights, *weights]]


def step(
    weights: Sequence[Tensor],
    state: list[Tensor],
    numbers: Mapping[str, Tensor],
    add_gradient: Callable[..., None],
    k: int,
) -> None:
    """Coordinate by coordinate."""
    gradients, means = state[: len(weights)], state[len(weights) :]
    fill(gradients, add_gradient)
    alpha = numbers["alpha"]
    for weight, gradient, mean in zip(weights, gradients, means, strict=True):
        mean.mul_(alpha).add_(gradient.square().mul_(1 - alpha))
        weight.addcmul_(divided(gradient, mean.sqrt(), numbers["epsilon"]), numbers["lr"], value=-1)


def preconditioner(state: list[Tensor], numbers: Mapping[str, Tensor], k: int) -> list[Tensor]:
    """D = 1/(√S + ε) of the last step."""
    return [inverse(mean.sqrt(), numbers["epsilon"]) for mean in state[len(state) // 2 :]]
