"""RMSprop: S ← αS + (1 − α)g², θ ← θ − η g/(√S + ε), as torch.optim.RMSprop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from minima.engine.quotients import descend, inverse
from minima.plan.optimizers import Optimizer, beside_the_root, share

if TYPE_CHECKING:
    from torch import Tensor


class RMSprop(Optimizer):
    """S ← αS + (1 − α)g², θ ← θ − η g/(√S + ε)."""

    alpha: float = share(0.99, "α.")
    epsilon: float = beside_the_root(1e-8)


SQUARES = ("alpha", False)
MEMORY = None


def start(theta: Tensor) -> list[Tensor]:
    """`start` returns S and room for a root."""
    import torch

    return [torch.zeros_like(theta), torch.empty_like(theta)]


def step(theta: Tensor, gradient: Tensor, state: list[Tensor], numbers: Mapping[str, Tensor], k: int) -> None:
    """`step` moves coordinate by coordinate."""
    import torch

    mean, room = state
    mean.lerp_(torch.mul(gradient, gradient, out=room), 1 - numbers["alpha"])
    descend(theta, gradient, torch.sqrt(mean, out=room), numbers)


def preconditioner(state: list[Tensor], numbers: Mapping[str, Tensor], k: int) -> Tensor:
    """`preconditioner` returns D = 1/(√S + ε) of the last step."""
    return inverse(state[0].sqrt(), numbers["epsilon"])
