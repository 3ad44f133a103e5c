"""A gaussian net moved to the set from which training goes to the min-norm solution.

With U1 = Φ1ᵀU what the points see of the first layer and U2 the rest, both V U2ᵀ = 0 and U1 U2ᵀ = 0: the part
of U2 in the span of the rows of V and U1 is taken out (2105.06351, Proposition 1).
"""

from collections.abc import Sequence

import numpy as np

from minima.engine.inits.scheme import Scheme, gaussian


def draw(
    shapes: Sequence[tuple[int, int]], stds: Sequence[float], seed: int, x: np.ndarray
) -> list[np.ndarray]:
    first, second = gaussian(shapes, stds, seed)
    rows = row_space(x)
    return [without(first, rows, np.concatenate([second[0], rows @ first[0].T])), second]


def row_space(x: np.ndarray) -> np.ndarray:
    """Φ1ᵀ [r, d]."""
    _, roots, rows = np.linalg.svd(x, full_matrices=False)
    return rows[roots > roots[0] * max(x.shape) * np.finfo(np.float64).eps]


def without(first: np.ndarray, rows: np.ndarray, span: np.ndarray) -> np.ndarray:
    """`without` returns W_1 [1, h, d] with the span of the rows [k, h] taken out of the part of W_1 that the
    points do not see."""
    seen = first @ rows.T @ rows
    basis = np.linalg.qr(span.T).Q
    unseen = first - seen
    return seen + unseen - basis @ (basis.T @ unseen)


SCHEME = Scheme(draw)
