"""The constant step that is best for a network that stays linearized: 2N/(λmax + λmin)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from minima.plan.optimizers import RateOfKernel

if TYPE_CHECKING:
    from numpy import ndarray

    from minima.engine.state import State

NEEDS_SPECTRUM = True


class BestConstant(RateOfKernel):
    """2N/(λmax + λmin) of the tangent kernel at start: no constant rate makes the slowest of all modes
    faster."""


def rate(options: Mapping[str, Any], state: State, spectrum: ndarray | None) -> float:
    """`rate` returns 2N/(λmax + λmin). Raises `ValueError` where no step moves the network."""
    top = float(spectrum[0] + spectrum[-1])
    if top <= 0:
        raise ValueError("optimizer.lr: best_constant: the tangent kernel at the start is 0: no step moves f")
    return 2 * state.x.shape[1] / top
