"""Stochastic gradient descent: gradient descent on the mini-batches that the loop hands over."""

from __future__ import annotations

from pydantic import Field

from minima.engine.optimizers.gd import LINEAR, MEMORY, start, step
from minima.plan.optimizers import Optimizer

__all__ = ["LINEAR", "MEMORY", "start", "step"]


class StochasticGradientDescent(Optimizer):
    """Gradient descent on mini-batches."""

    family = "descent"
    batch_size: int = Field(1, ge=1, description="Points per step.")
