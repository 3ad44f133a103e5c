"""max(a, 0)."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def norm(a: Array) -> Array:
    """`norm` returns √E φ(u)²."""
    return a / np.sqrt(2)


def pair(a: Array, b: Array, angle: Array) -> tuple[Array, Array]:
    """`pair` returns the angle of the activations and E φ'φ'."""
    # cos θ' = (sin θ + (π − θ) cos θ)/π (Cho & Saul 2009, J₁), as sin²(θ'/2) to keep small angles.
    half_sine2 = np.sin(angle / 2) ** 2 - (np.sin(angle) - angle * np.cos(angle)) / (2 * np.pi)
    return 2 * np.arcsin(np.sqrt(np.maximum(half_sine2, 0))), (np.pi - angle) / (2 * np.pi)
