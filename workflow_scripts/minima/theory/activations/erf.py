"""The error function (Williams 1997)."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def norm(a: Array) -> Array:
    """`norm` returns √E φ(u)²."""
    return np.sqrt(2 / np.pi * np.arctan2(2 * a**2, np.sqrt(1 + 4 * a**2)))


def pair(a: Array, b: Array, angle: Array) -> tuple[Array, Array]:
    """`pair` returns the angle of the activations and E φ'φ'."""
    # (1+2a²)(1+2b²) − 4k², expanded so that nothing cancels. The kernel is smooth in k, so that here an
    # angle from a cosine costs nothing.
    root = np.sqrt(1 + 2 * a**2 + 2 * b**2 + (2 * a * b * np.sin(angle)) ** 2)
    moment = 2 / np.pi * np.arctan2(2 * a * b * np.cos(angle), root)
    scale = norm(a) * norm(b)
    cosine = np.divide(moment, scale, out=np.zeros_like(moment), where=scale > 0)
    return np.arccos(np.clip(cosine, -1, 1)), 4 / np.pi / root
