"""AdaGrad: S ← S + g², θ ← θ − η g/(√S + ε), as torch.optim.Adagrad."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from minima.engine.quotients import descend, inverse
from minima.plan.optimizers import Optimizer, beside_the_root

if TYPE_CHECKING:
    from torch import Tensor


class AdaGrad(Optimizer):
    """S ← S + g², θ ← θ − η g/(√S + ε), coordinate by coordinate."""

    epsilon: float = beside_the_root(1e-10)
    time_of_rate = 2.0


SQUARES = (None, False)
MEMORY = None
COMES_TO_REST = True  # S only gathers: where gradients vanish, so does the change of D


def start(theta: Tensor) -> list[Tensor]:
    """`start` returns S and room for its root."""
    import torch

    return [torch.zeros_like(theta), torch.empty_like(theta)]


def step(theta: Tensor, gradient: Tensor, state: list[Tensor], numbers: Mapping[str, Tensor], k: int) -> None:
    """`step` moves coordinate by coordinate."""
    import torch

    total, room = state
    total.addcmul_(gradient, gradient)
    descend(theta, gradient, torch.sqrt(total, out=room), numbers)


def preconditioner(state: list[Tensor], numbers: Mapping[str, Tensor], k: int) -> Tensor:
    """`preconditioner` returns D = 1/(√S + ε) of the last step."""
    return inverse(state[0].sqrt(), numbers["epsilon"])
