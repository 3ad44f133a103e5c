"""No activation at all."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def norm(a: Array) -> Array:
    """`norm` returns √E u²."""
    return a


def pair(a: Array, b: Array, angle: Array) -> tuple[Array, Array]:
    """`pair` returns the angle as it is, and 1."""
    return angle, np.ones_like(angle)
