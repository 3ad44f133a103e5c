"""Stochastic gradient descent: gradient descent on the mini-batches that the loop hands over."""

from minima.engine.optimizers.gd import start, step

__all__ = ["start", "step"]
