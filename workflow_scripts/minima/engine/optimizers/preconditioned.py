"""A fixed diagonal preconditioner, the control of the adaptive methods: D = 1/(|g₀| + ε), θ ← θ − η D g."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from minima.engine.quotients import descend, inverse
from minima.plan.optimizers import Optimizer, beside_the_root

if TYPE_CHECKING:
    from torch import Tensor


class Preconditioned(Optimizer):
    """θ ← θ − η D g with D = 1/(|g₀| + ε) fixed at the first step: a control for the adaptive methods."""

    epsilon: float = beside_the_root(1e-10)


def start(theta: Tensor) -> list[Tensor]:
    """`start` returns |g₀| and room for a copy of it."""
    import torch

    return [torch.zeros_like(theta), torch.empty_like(theta)]


def step(theta: Tensor, gradient: Tensor, state: list[Tensor], numbers: Mapping[str, Tensor], k: int) -> None:
    """`step` sets D at the first step; D stays."""
    import torch

    scale, room = state
    if k == 1:
        torch.abs(gradient, out=scale)
    descend(theta, gradient, room.copy_(scale), numbers)


def preconditioner(state: list[Tensor], numbers: Mapping[str, Tensor], k: int) -> Tensor:
    """`preconditioner` returns D = 1/(|g₀| + ε)."""
    return inverse(state[0], numbers["epsilon"])
