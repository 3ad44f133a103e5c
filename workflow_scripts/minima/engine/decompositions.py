"""Eigenvalues of symmetric matrices, by the library that multiplies fastest on this machine's processor.

What LAPACK does is products for the most part, so the choice is that of `minima.engine.products` for large
ones: NumPy's OpenBLAS on AMD's processors, else PyTorch's MKL; on Intel's the two differ little
(benchmarks/lapack.py). On a GPU PyTorch computes them. Matrices are tensors [..., n, n]. Linear systems are
solved by `minima.theory.solve`, with SciPy's OpenBLAS, in jobs that load no PyTorch too.
"""

import numpy as np
import torch
from torch import Tensor

from minima.engine.products import SMALL, library


def eigh(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """`eigh` returns the ascending eigenvalues [..., n] and the eigenvectors [..., n, n], in columns."""
    if _by_numpy(matrix):
        values, vectors = np.linalg.eigh(matrix.numpy())
        return torch.from_numpy(values), torch.from_numpy(vectors)
    return torch.linalg.eigh(matrix)


def eigvalsh(matrix: Tensor) -> Tensor:
    """`eigvalsh` returns the ascending eigenvalues [..., n]."""
    if _by_numpy(matrix):
        return torch.from_numpy(np.linalg.eigvalsh(matrix.numpy()))
    return torch.linalg.eigvalsh(matrix)


def _by_numpy(matrix: Tensor) -> bool:
    return matrix.device.type == "cpu" and library((SMALL, SMALL)) == "numpy"
