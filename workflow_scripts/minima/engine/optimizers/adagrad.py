"""AdaGrad: S ← S + g², θ ← θ − η g/(√S + ε), as torch.optim.Adagrad."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from minima.engine.optimizers.gradient import divided, fill, inverse

COMES_TO_REST = True  # S only gathers: where gradients vanish, so does the change of D


def start(weights: Sequence[Tensor]) -> list[Tensor]:
    """g, S and room for a root."""
    return [torch.zeros_like(weight) for weight in [*weights, *weights, *weights]]


def step(
    weights: Sequence[Tensor],
    state: list[Tensor],
    numbers: Mapping[str, Tensor],
    add_gradient: Callable[..., None],
    k: int,
) -> None:
    """Coordinate by coordinate."""
    size = len(weights)
    gradients, sums, rooms = state[:size], state[size : 2 * size], state[2 * size :]
    fill(gradients, add_gradient)
    for weight, gradient, total, room in zip(weights, gradients, sums, rooms, strict=True):
        root = torch.sqrt(total.addcmul_(gradient, gradient), out=room)
        weight.addcmul_(divided(gradient, root, numbers["epsilon"], out=root), numbers["lr"], value=-1)


def preconditioner(state: list[Tensor], numbers: Mapping[str, Tensor], k: int) -> list[Tensor]:
    """D = 1/(√S + ε) of the last step."""
    return [
        inverse(total.sqrt(), numbers["epsilon"]) for total in state[len(state) // 3 : 2 * len(state) // 3]
    ]
