"""AdaGrad-Norm: S ← S + ‖g‖² over all weights of a network, θ ← θ − η g/(√S + ε)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from minima.engine.quotients import descend
from minima.plan.optimizers import Optimizer, beside_the_root

if TYPE_CHECKING:
    from torch import Tensor


class AdaGradNorm(Optimizer):
    """S ← S + ‖g‖², θ ← θ − η g/(√S + ε): one step size for all coordinates."""

    epsilon: float = beside_the_root(1e-10)
    time_of_rate = 2.0


def start(theta: Tensor) -> list[Tensor]:
    """`start` returns one S per network."""
    return [theta.new_zeros(len(theta), 1, 1, 1)]


def step(theta: Tensor, gradient: Tensor, state: list[Tensor], numbers: Mapping[str, Tensor], k: int) -> None:
    """`step` takes one step size for all coordinates."""
    (total,) = state
    total.add_(gradient.square().sum((1, 2, 3), keepdim=True))
    descend(theta, gradient, total.sqrt().expand_as(gradient).clone(), numbers)
