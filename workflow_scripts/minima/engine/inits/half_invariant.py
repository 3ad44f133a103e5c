"""As `invariant`, but for U1 U2ᵀ, which stays as drawn: V U2ᵀ = 0 alone, which training does not keep."""

from collections.abc import Sequence

import numpy as np

from minima.engine.inits.invariant import row_space, without
from minima.engine.inits.scheme import Scheme, gaussian


def draw(
    shapes: Sequence[tuple[int, int]], stds: Sequence[float], seed: int, x: np.ndarray
) -> list[np.ndarray]:
    first, second = gaussian(shapes, stds, seed)
    return [without(first, row_space(x), second[0]), second]


SCHEME = Scheme(draw)
