"""Nesterov's method for convex losses: μ_k = (k − 1)/(k + r − 1) at step k = 1, 2 …

As it is written, x' = θ − η g(θ), θ ← x' + μ(x' − x): the weights θ are the points at which the gradient is
taken; the iterates x are the state.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import Field

from minima.plan.optimizers import Optimizer
from minima.plan.options import VARIES

if TYPE_CHECKING:
    from torch import Tensor


class NesterovConvex(Optimizer):
    """Nesterov's method with μ_k = (k − 1)/(k + r − 1) at step k = 1, 2 …"""

    r: float = Field(3.0, ge=1, description="r of μ_k = (k − 1)/(k + r − 1).", json_schema_extra=VARIES)
    time_of_rate = 0.5


LINEAR = True


def start(theta: Tensor) -> list[Tensor]:
    """`start` returns x = θ."""
    return [theta.clone()]


def step(theta: Tensor, gradient: Tensor, state: list[Tensor], numbers: Mapping[str, Tensor], k: int) -> None:
    """`step` takes x' = θ − η g(θ), θ ← x' + μ(x' − x)."""
    look_ahead(theta, gradient, state, numbers["lr"], (k - 1) / (k + numbers["r"] - 1))


def look_ahead(theta: Tensor, gradient: Tensor, state: list[Tensor], lr: Tensor, momentum: Tensor) -> None:
    """`look_ahead` takes one step with momentum μ per network."""
    import torch

    (iterate,) = state
    theta.addcmul_(gradient, lr, value=-1)
    moved = torch.sub(theta, iterate, out=gradient)
    iterate.copy_(theta)
    theta.addcmul_(moved, momentum)
