"""A gaussian net moved to the set from which training goes to the min-norm solution.

With U1 = Φ1ᵀU what the points see of the first layer and U2 the rest, both V U2ᵀ = 0 and U1 U2ᵀ = 0: the part
of U2 in the span of the rows of V and U1 is taken out (2105.06351, Proposition 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from minima.engine.draws import gaussian
from minima.plan.inits import LinearInit

if TYPE_CHECKING:
    from numpy import ndarray


class Invariant(LinearInit):
    """Two linear layers, gaussian, from which training goes to the min-norm solution (both conditions of
    2105.06351, Proposition 1)."""


def draw(shapes: Sequence[tuple[int, int]], stds: Sequence[float], seed: int, x: ndarray) -> list[ndarray]:
    import numpy as np

    from minima.engine.linear_draws import row_space, without

    first, second = gaussian(shapes, stds, seed)
    rows = row_space(x)
    return [without(first, rows, np.concatenate([second[0], rows @ first[0].T])), second]
