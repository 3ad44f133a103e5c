"""Kernel regression with exp(−γ‖x − x'‖²): the null that the tangent kernel must beat."""

import numpy as np
from sklearn.metrics.pairwise import rbf_kernel

WITH_GAMMA = True


def kernel(x1: np.ndarray, x2: np.ndarray | None, gamma: float) -> np.ndarray:
    """`kernel` returns exp(−γ‖x − x'‖²) [n1, n2]."""
    return rbf_kernel(x1, x2, gamma)
