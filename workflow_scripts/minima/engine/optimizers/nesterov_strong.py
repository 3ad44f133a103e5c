"""Nesterov's method for losses of curvature at least m: μ = (1 − √(ηm))/(1 + √(ηm))."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import Field

from minima.engine.optimizers.nesterov_convex import look_ahead, start
from minima.plan.optimizers import Optimizer
from minima.plan.options import VARIES

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["LINEAR", "start", "step"]


class NesterovStrong(Optimizer):
    """Nesterov's method with μ = (1 − √(ηm))/(1 + √(ηm))."""

    curvature: float = Field(gt=0, description="m, the least curvature.", json_schema_extra=VARIES)
    time_of_rate = 0.5


LINEAR = True


def step(theta: Tensor, gradient: Tensor, state: list[Tensor], numbers: Mapping[str, Tensor], k: int) -> None:
    """`step` takes x' = θ − η g(θ), θ ← x' + μ(x' − x)."""
    root = (numbers["lr"] * numbers["curvature"]).sqrt()
    look_ahead(theta, gradient, state, numbers["lr"], (1 - root) / (1 + root))
