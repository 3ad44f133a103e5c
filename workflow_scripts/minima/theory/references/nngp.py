"""Kernel regression with the covariance of infinitely wide networks at their start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.references import KernelOfNetworks

if TYPE_CHECKING:
    from minima.theory.kernels import Array


class Nngp(KernelOfNetworks):
    """Kernel of the untrained network (NNGP)."""


def kernel(x1: Array, x2: Array | None, *network: int | str | float) -> Array:
    """`kernel` returns K [n1, n2]."""
    from minima.theory.kernels import nngp

    return nngp(x1, x2, *network)
