"""AdaGrad: S ← S + g², θ ← θ − η g/(√S + ε), as torch.optim.Adagrad."""

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
    gradients, sums = state[: len(weights)], state[len(weights) :]
    fill(gradients, add_gradient)
    for weight, gradient, total in zip(weights, gradients, sums, strict=True):
        total.addcmul_(gradient, gradient)
        weight.addcmul_(divided(gradient, total.sqrt(), numbers["epsilon"]), numbers["lr"], value=-1)


def preconditioner(state: list[Tensor], numbers: Mapping[str, Tensor], k: int) -> list[Tensor]:
    """D = 1/(√S + ε) of the last step."""
    return [inverse(total.sqrt(), numbers["epsilon"]) for total in state[len(state) // 2 :]]
