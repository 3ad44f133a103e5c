"""Kernel regression with the covariance of infinitely wide networks at their start."""

from minima.theory.kernels import nngp as kernel

__all__ = ["OF_NETWORKS", "kernel"]

OF_NETWORKS = True
