"""RMSprop: S ← αS + (1 − α)g², θ ← θ − η g/(√S + ε), as torch.optim.RMSprop."""

from collections.abc import Mapping

import torch
from torch import Tensor

from minima.engine.optimizers.gradient import descend, inverse


def start(theta: Tensor) -> list[Tensor]:
    """`start` returns S and room for a root."""
    return [torch.zeros_like(theta), torch.empty_like(theta)]


def step(theta: Tensor, gradient: Tensor, state: list[Tensor], numbers: Mapping[str, Tensor], k: int) -> None:
    """`step` moves coordinate by coordinate."""
    mean, room = state
    mean.lerp_(torch.mul(gradient, gradient, out=room), 1 - numbers["alpha"])
    descend(theta, gradient, torch.sqrt(mean, out=room), numbers)


def preconditioner(state: list[Tensor], numbers: Mapping[str, Tensor], k: int) -> Tensor:
    """`preconditioner` returns D = 1/(√S + ε) of the last step."""
    return inverse(state[0].sqrt(), numbers["epsilon"])
