"""Kernel regression with the tangent kernel of infinitely wide networks, and how far these networks spread
around it over initializations, at σ = 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from minima.plan.references import KernelOfNetworks

if TYPE_CHECKING:
    from minima.theory.kernels import Array


class Ntk(KernelOfNetworks):
    """Neural tangent kernel."""


def kernel(x1: Array, x2: Array | None, *network: int | str | float) -> Array:
    """`kernel` returns Θ [n1, n2]."""
    from minima.theory.kernels import ntk

    return ntk(x1, x2, *network)


def beside(
    x_train: Array, y_train: Array, x_test: Array, network: tuple, options: Mapping[str, Any], split: int
) -> dict[str, tuple[tuple[str, ...], Array, str]]:
    """`beside` returns the variances of trained and of untrained networks."""
    from minima.theory.infinite_width import trained_limit
    from minima.theory.kernels import nngp_diagonal

    spread = "variance over initializations of infinitely wide"
    limit = trained_limit(x_train, y_train, x_test, *network)
    start = nngp_diagonal(x_test, *network)
    return {
        "limit_variance": (("point",), limit.variance, f"{spread} trained networks, at σ = 1"),
        "start_variance": (("point",), start, f"{spread} untrained networks, at σ = 1"),
    }
