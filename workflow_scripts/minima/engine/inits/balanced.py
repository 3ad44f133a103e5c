"""Two linear layers without imbalance: U1ᵀU1 = VᵀV, so that no rate is guaranteed (2105.06351).

With Θ0 normal [d, m], S = Θ0ᵀΦ1Φ1ᵀΘ0 and m orthonormal directions Q [h, m] of the hidden units,

    U = Θ0 S^{−¼} Qᵀ,   V = S^{¼} Qᵀ,   UVᵀ = Θ0

so that both factors have the same singular values on what the points see. The entries of Θ0 have the variance
that those of a gaussian net's product have.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from minima.plan.inits import LinearInit
from minima.streams import stream

if TYPE_CHECKING:
    from numpy import ndarray


class Balanced(LinearInit):
    """Two linear layers without imbalance."""


def draw(shapes: Sequence[tuple[int, int]], stds: Sequence[float], seed: int, x: ndarray) -> list[ndarray]:
    import numpy as np

    (width, features), (outputs, _) = shapes
    product = (
        np.sqrt(width) * stds[0] * stds[1] * stream(seed, "weights/0").standard_normal((features, outputs))
    )
    directions = np.linalg.qr(stream(seed, "weights/1").standard_normal((width, outputs))).Q
    rows = np.linalg.svd(x, full_matrices=False)[2]
    seen = rows @ product
    values, vectors = np.linalg.eigh(seen.T @ seen)
    fourth = vectors * values**0.25 @ vectors.T
    return [(directions @ np.linalg.inv(fourth) @ product.T)[None], (fourth @ directions.T)[None]]
