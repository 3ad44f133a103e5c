"""Kernel regression with exp(−γ‖x − x'‖²): the null that the tangent kernel must beat."""

import numpy as np

WITH_GAMMA = True


def kernel(x1: np.ndarray, x2: np.ndarray | None, gamma: float) -> np.ndarray:
    """`kernel` returns exp(−γ‖x − x'‖²) [n1, n2]."""
    other = x1 if x2 is None else x2
    squared = (x1**2).sum(1)[:, None] - 2 * x1 @ other.T + (other**2).sum(1)
    if x2 is None:  # 0, which rounding makes a little more or less
        np.fill_diagonal(squared, 0)
    return np.exp(-gamma * squared.clip(min=0))
