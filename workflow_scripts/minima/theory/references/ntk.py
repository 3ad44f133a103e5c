"""Kernel regression with the tangent kernel of infinitely wide networks, and how far these networks spread
around it over initializations, at σ = 1."""

from collections.abc import Mapping
from typing import Any

from minima.theory.infinite_width import Array, trained_limit
from minima.theory.kernels import nngp_diagonal
from minima.theory.kernels import ntk as kernel

__all__ = ["OF_NETWORKS", "beside", "kernel"]

OF_NETWORKS = True


def beside(
    x_train: Array, y_train: Array, x_test: Array, network: tuple, options: Mapping[str, Any], split: int
) -> dict[str, tuple[tuple[str, ...], Array, str]]:
    """`beside` returns the variances of trained and of untrained networks."""
    spread = "variance over initializations of infinitely wide"
    limit = trained_limit(x_train, y_train, x_test, *network)
    start = nngp_diagonal(x_test, *network)
    return {
        "limit_variance": (("point",), limit.variance, f"{spread} trained networks, at σ = 1"),
        "start_variance": (("point",), start, f"{spread} untrained networks, at σ = 1"),
    }
