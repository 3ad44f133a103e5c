"""Sign descent: θ ← θ − η sign g."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from minima.engine.optimizers.gradient import fill


def start(weights: Sequence[Tensor]) -> list[Tensor]:
    """g."""
    return [torch.zeros_like(weight) for weight in weights]


def step(
    weights: Sequence[Tensor],
    state: list[Tensor],
    numbers: Mapping[str, Tensor],
    add_gradient: Callable[..., None],
    k: int,
) -> None:
    """Every coordinate moves by η."""
    fill(state, add_gradient)
    for weight, gradient in zip(weights, state, strict=True):
        weight.addcmul_(gradient.sign(), numbers["lr"], value=-1)
