"""A fixed diagonal preconditioner, the control of the adaptive methods: D = 1/(|g₀| + ε), θ ← θ − η D g."""

from collections.abc import Mapping

import torch
from torch import Tensor

from minima.engine.optimizers.gradient import descend, inverse


def start(theta: Tensor) -> list[Tensor]:
    """`start` returns |g₀| and room for a copy of it."""
    return [torch.zeros_like(theta), torch.empty_like(theta)]


def step(theta: Tensor, gradient: Tensor, state: list[Tensor], numbers: Mapping[str, Tensor], k: int) -> None:
    """`step` sets D at the first step; D stays."""
    scale, room = state
    if k == 1:
        torch.abs(gradient, out=scale)
    descend(theta, gradient, room.copy_(scale), numbers)


def preconditioner(state: list[Tensor], numbers: Mapping[str, Tensor], k: int) -> Tensor:
    """`preconditioner` returns D = 1/(|g₀| + ε)."""
    return inverse(state[0], numbers["epsilon"])
