"""A gaussian net moved to V U2ᵀ = 0 only: one of the two conditions of `invariant`.

U1 U2ᵀ stays as drawn, and then training does not keep V U2ᵀ = 0 either: the control that shows that the
min-norm solution needs both conditions (2105.06351, Proposition 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from minima.engine.draws import gaussian
from minima.plan.inits import LinearInit

if TYPE_CHECKING:
    from numpy import ndarray


class HalfInvariant(LinearInit):
    """As `invariant`, with the condition on the last layer only."""


def draw(shapes: Sequence[tuple[int, int]], stds: Sequence[float], seed: int, x: ndarray) -> list[ndarray]:
    from minima.engine.linear_draws import row_space, without

    first, second = gaussian(shapes, stds, seed)
    return [without(first, row_space(x), second[0]), second]
