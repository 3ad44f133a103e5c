"""Full-batch gradient descent: θ ← θ − η g."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from minima.plan.optimizers import Optimizer

if TYPE_CHECKING:
    from torch import Tensor


class GradientDescent(Optimizer):
    """Gradient descent: θ ← θ − η g."""

    family = "descent"


LINEAR = True
MEMORY = None


def start(theta: Tensor) -> list[Tensor]:
    """`start` returns no state."""
    return []


def step(theta: Tensor, gradient: Tensor, state: list[Tensor], numbers: Mapping[str, Tensor], k: int) -> None:
    """`step` takes θ ← θ − η g."""
    theta.addcmul_(gradient, numbers["lr"], value=-1)
