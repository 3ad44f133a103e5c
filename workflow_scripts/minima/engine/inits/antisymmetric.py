"""(f_a − f_b)/√2 with equal weights at the start: f₀ = 0 and the kernel of one copy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from minima.engine.draws import gaussian
from minima.plan.inits import LayerInit

if TYPE_CHECKING:
    from numpy import ndarray

READOUT = (0.5**0.5, -(0.5**0.5))


class Antisymmetric(LayerInit):
    """(f_a − f_b)/√2 with f_a = f_b at the start, so f₀ = 0."""


def draw(
    shapes: Sequence[tuple[int, int]], stds: Sequence[float], seed: int, x: ndarray | None = None
) -> list[ndarray]:
    return [weight.repeat(2, axis=0) for weight in gaussian(shapes, stds, seed)]
