"""A fixed diagonal preconditioner, the control of the adaptive methods: D = 1/(|g₀| + ε), θ ← θ − η D g."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from minima.engine.optimizers.gradient import divided, fill, inverse


def start(weights: Sequence[Tensor]) -> list[Tensor]:
    """g and |g₀|."""
    return [torch.zeros_like(weight) for weight in [*weights, *weights]]


def step(
    weights: Sequence[Tensor],
    state: list[Tensor],
    numbers: Mapping[str, Tensor],
    add_gradient: Callable[..., None],
    k: int,
) -> None:
    """D is set at the first step and stays."""
    gradients, scales = state[: len(weights)], state[len(weights) :]
    fill(gradients, add_gradient)
    for weight, gradient, scale in zip(weights, gradients, scales, strict=True):
        if k == 1:
            scale.copy_(gradient.abs())
        weight.addcmul_(
            divided(gradient, scale.clone(), numbers["epsilon"], out=gradient), numbers["lr"], value=-1
        )


def preconditioner(state: list[Tensor], numbers: Mapping[str, Tensor], k: int) -> list[Tensor]:
    """D = 1/(|g₀| + ε)."""
    return [inverse(scale, numbers["epsilon"]) for scale in state[len(state) // 2 :]]
