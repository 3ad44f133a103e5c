"""Sign descent: θ ← θ − η sign g."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from minima.plan.optimizers import Optimizer

if TYPE_CHECKING:
    from torch import Tensor


class SignDescent(Optimizer):
    """θ ← θ − η sign g."""


DEGREE = 0.0


def start(theta: Tensor) -> list[Tensor]:
    """`start` returns no state."""
    return []


def step(theta: Tensor, gradient: Tensor, state: list[Tensor], numbers: Mapping[str, Tensor], k: int) -> None:
    """`step` moves every coordinate by η."""
    theta.addcmul_(gradient.sign_(), numbers["lr"], value=-1)
