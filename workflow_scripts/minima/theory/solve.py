"""Solve K x = y for a kernel matrix that may be singular to rounding, and say how it was done.

The ladder: Cholesky as it is; then with a jitter on the diagonal from 1e-14 to 1e-10 of the mean
eigenvalue tr K/n, rising tenfold; then the pseudo-inverse from an eigendecomposition truncated at rounding.
"""

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

_RELATIVE_JITTERS = (0.0, 1e-14, 1e-13, 1e-12, 1e-11, 1e-10)
_RESIDUAL = 1e-6  # a jittered solution further than this from its right-hand side was a contradiction


@dataclass(frozen=True)
class Factorization:
    """A symmetric positive semidefinite matrix (n, n), ready to be solved many times.

    solver: "cholesky" or "eigh"; jitter: what was added to the diagonal, in the matrix's own units;
    rank: number of eigenvalues kept (n for Cholesky).
    """

    solver: str
    jitter: float
    rank: int
    _factor: Array  # lower Cholesky factor (n, n), or V/√λ (n, rank)

    def solve(self, rhs: ArrayLike) -> Array:
        """K⁻¹ rhs (K⁺ rhs for "eigh") for rhs of shape (n,) or (n, k): same shape."""
        rhs = np.asarray(rhs, dtype=np.float64)
        if self.solver == "cholesky":
            return scipy.linalg.cho_solve((self._factor, True), rhs, check_finite=False)
        return self._factor @ (self._factor.T @ rhs)


@dataclass(frozen=True)
class Solution:
    """x with K x = rhs, shaped as rhs, and what it took; fields as in `Factorization`."""

    x: Array
    solver: str
    jitter: float
    rank: int


def factorize(kernel: ArrayLike) -> Factorization:
    """Climb the ladder until a step holds."""
    kernel = _checked(kernel)
    size = len(kernel)
    scale = np.trace(kernel) / max(size, 1)
    for relative in _RELATIVE_JITTERS:
        lower = _cholesky(kernel, relative * scale)
        if lower is not None:
            return Factorization("cholesky", float(relative * scale), size, lower)
    return _truncated_eigh(kernel)


def solve(kernel: ArrayLike, rhs: ArrayLike) -> Solution:
    """Solve with one right-hand side (n,) or several (n, k).

    A singular kernel contradicts a right-hand side outside its range (one point twice, with two labels).
    Jitter then answers with coefficients of 1/jitter that are mostly rounding, so it falls through to the
    least-squares solution of smallest norm, for all right-hand sides as soon as one is contradicted.
    """
    kernel = _checked(kernel)
    rhs = np.asarray(rhs, dtype=np.float64)
    factorization = factorize(kernel)
    x = factorization.solve(rhs)
    residual = np.linalg.norm(kernel @ x - rhs, axis=0)
    if factorization.jitter > 0 and np.any(residual > _RESIDUAL * np.linalg.norm(rhs, axis=0)):
        factorization = _truncated_eigh(kernel)
        x = factorization.solve(rhs)
    return Solution(x, factorization.solver, factorization.jitter, factorization.rank)


def _cholesky(kernel: Array, jitter: float) -> Array | None:
    """Lower factor of K + jitter·I, or None where a pivot is not above rounding (LAPACK only asks > 0)."""
    shifted = kernel.copy()
    np.fill_diagonal(shifted, kernel.diagonal() + jitter)
    try:
        # Transposed, a symmetric matrix is itself, and in LAPACK's order: factorized where it stands.
        lower = scipy.linalg.cholesky(shifted.T, lower=True, overwrite_a=True, check_finite=False)
    except scipy.linalg.LinAlgError:
        return None
    pivots = lower.diagonal() ** 2
    return lower if np.all(pivots > _rounding(len(kernel), kernel.diagonal().max(initial=0))) else None


def _truncated_eigh(kernel: Array) -> Factorization:
    eigenvalues, vectors = scipy.linalg.eigh(kernel, check_finite=False)
    kept = eigenvalues > _rounding(len(kernel), np.abs(eigenvalues).max(initial=0))
    return Factorization("eigh", 0.0, int(kept.sum()), vectors[:, kept] / np.sqrt(eigenvalues[kept]))


def _rounding(size: int, scale: float) -> float:
    return size * np.finfo(np.float64).eps * scale


def _checked(kernel: ArrayLike) -> Array:
    kernel = np.asarray(kernel, dtype=np.float64)
    if kernel.ndim != 2 or kernel.shape[0] != kernel.shape[1]:
        raise ValueError(f"kernel has shape {kernel.shape}, need a square matrix")
    if not np.isfinite(kernel).all():
        raise ValueError("kernel contains NaN or infinity")
    return kernel
