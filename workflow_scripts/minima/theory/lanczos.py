"""The largest eigenvalue of the tangent kernel, by products with J alone."""

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor

from minima.engine.jacobians import Jacobian

TOLERANCE = 1e-10  # of the eigenvalue, relative


def largest_eigenvalue(rows: Jacobian, f: Tensor) -> float:
    """`largest_eigenvalue` returns λmax of Θ = JJᵀ of one network, by Lanczos' method: Θ is never
    formed. The network's outputs f [1, n, o] say the size of Θ."""
    size = f.numel()

    def times(vector: np.ndarray) -> np.ndarray:
        c = torch.from_numpy(np.ascontiguousarray(vector, dtype=np.float64)).to(f).view_as(f)
        return rows.times(rows.transposed(c)).double().cpu().numpy().ravel()

    if size <= 2:  # ARPACK needs more
        kernel = np.stack([times(one) for one in np.eye(size)])
        return float(np.linalg.eigvalsh(kernel)[-1])
    operator = LinearOperator((size, size), matvec=times, dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(size)  # the same each time
    found = eigsh(operator, k=1, v0=start, tol=TOLERANCE, return_eigenvectors=False)
    return max(float(found[0]), 0.0)
