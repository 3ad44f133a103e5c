"""AdaGrad-Norm: S ← S + ‖g‖² over all weights of a network, θ ← θ − η g/(√S + ε)."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from minima.engine.optimizers.gradient import divided, fill


def start(weights: Sequence[Tensor]) -> list[Tensor]:
    """g, and one S per network."""
    return [*(torch.zeros_like(weight) for weight in weights), weights[0].new_zeros(len(weights[0]), 1, 1, 1)]


def step(
    weights: Sequence[Tensor],
    state: list[Tensor],
    numbers: Mapping[str, Tensor],
    add_gradient: Callable[..., None],
    k: int,
) -> None:
    """One step size for all coordinates."""
    *gradients, total = state
    fill(gradients, add_gradient)
    for gradient in gradients:
        total.add_(gradient.square().sum((1, 2, 3), keepdim=True))
    for weight, gradient in zip(weights, gradients, strict=True):
        weight.addcmul_(
            divided(gradient, total.sqrt(), numbers["epsilon"], out=gradient), numbers["lr"], value=-1
        )
