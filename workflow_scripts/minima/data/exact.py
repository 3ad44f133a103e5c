"""Linear algebra that gives the same bits on every processor, for the arrays whose digests key trained cells.

A product by BLAS rounds at each addition, in an order that depends on the processor and on the number of
threads; `einsum`, exponentials and sines round as the processor's registers or the C library have it. Here
everything is made of elementwise +, −, ×, ÷ and √, which IEEE 754 rounds in one way, of sums by `np.sum`, the
order of which is its own, and of products by BLAS in which there is nothing to round. So nothing is rounded
to fewer digits either: that makes differences rare and not absent, for a number beside a boundary falls to
either side. What is left of the C library is its log1p in NumPy's gaussian draws beyond ±3.65.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
SLICES = 3  # of 18 bits or more, up to 10⁵ terms: together more than the 53 of a float64


def product(a: Array, b: Array) -> Array:
    """The matrix product a b [n, m] of a [n, k] and b [k, m], to rounding of max|a| max|b| in row and column.

    Each factor is a sum of slices of so few bits that a product of two slices, k terms in any order, is exact
    (Ozaki, Ogita, Oishi and Rump 2012). The products of slices are then added from small to large.
    """
    bits = (53 - (a.shape[1] - 1).bit_length()) // 2
    a_slices, b_slices = _slices(a, 1, bits), _slices(b, 0, bits)
    total = np.zeros((len(a), b.shape[1]))
    for order in reversed(range(SLICES)):
        for i in range(order + 1):
            total += a_slices[i] @ b_slices[order - i]
    return total


def _slices(x: Array, axis: int, bits: int) -> list[Array]:
    """Slices [SLICES] that add up to x: whole numbers up to 2^bits, times a power of 2 fixed along `axis`."""
    _, exponent = np.frexp(np.abs(x).max(axis, keepdims=True))
    found = []
    for number in range(1, SLICES + 1):
        unit = np.ldexp(1.0, exponent - number * bits)
        found.append(np.rint(x / unit) * unit)
        x = x - found[-1]
    return found


def orthonormalized(x: Array) -> tuple[Array, Array]:
    """The orthonormal rows U = Z x nearest to the rows x [n, d], and the map Z = (x xᵀ)^{−½} [n, n].

    The rows must be linearly independent. With x = W Σ^{½} Φᵀ, U = W Φᵀ and Z = W Σ^{−½} Wᵀ: what a singular
    value decomposition gives, by the Newton–Schulz iteration U ← ½(3 − U Uᵀ)U. It moves each singular value
    σ ∈ (0, 1] of U to σ(3 − σ²)/2: half as much again where σ is small; 1 − σ to 3/2 of its square at last.
    """
    size = np.sqrt(np.square(x).sum())
    u, z, one = x / size, np.eye(len(x)) / size, np.eye(len(x))
    error = 1.0
    while error > 1e-9:  # before the last step, whose own error is then below rounding
        gram = product(u, u.T)
        error = np.abs(gram - one).max()
        step = 1.5 * one - 0.5 * gram
        u, z = product(step, u), product(step, z)
    return u, z
