"""Stochastic gradient descent: gradient descent on the mini-batches that the loop hands over."""

from minima.engine.optimizers.gd import LINEAR, start, step

__all__ = ["LINEAR", "start", "step"]
