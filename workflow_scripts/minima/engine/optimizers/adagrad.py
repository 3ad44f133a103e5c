"""AdaGrad: S ← S + g², θ ← θ − η g/(√S + ε), as torch.optim.Adagrad."""

from collections.abc import Mapping

import torch
from torch import Tensor

from minima.engine.optimizers.gradient import descend, inverse

COMES_TO_REST = True  # S only gathers: where gradients vanish, so does the change of D


def start(theta: Tensor) -> list[Tensor]:
    """`start` returns S and room for its root."""
    return [torch.zeros_like(theta), torch.empty_like(theta)]


def step(theta: Tensor, gradient: Tensor, state: list[Tensor], numbers: Mapping[str, Tensor], k: int) -> None:
    """`step` moves coordinate by coordinate."""
    total, room = state
    total.addcmul_(gradient, gradient)
    descend(theta, gradient, torch.sqrt(total, out=room), numbers)


def preconditioner(state: list[Tensor], numbers: Mapping[str, Tensor], k: int) -> Tensor:
    """`preconditioner` returns D = 1/(√S + ε) of the last step."""
    return inverse(state[0].sqrt(), numbers["epsilon"])
