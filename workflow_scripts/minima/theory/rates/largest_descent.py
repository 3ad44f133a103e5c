"""The largest step up to which the bounds on descent of two linear layers hold: ηmax."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from minima.plan.optimizers import RateOfBounds

if TYPE_CHECKING:
    from numpy import ndarray

    from minima.engine.state import State


class LargestDescent(RateOfBounds):
    """ηmax of Xu et al. (2023), up to which their bounds on descent of two linear layers hold."""


def rate(options: Mapping[str, Any], state: State, spectrum: ndarray | None) -> float:
    """`rate` returns N ηmax. Raises `ValueError` where the bounds allow no step."""
    from minima.theory.descent_bound import largest_rate
    from minima.theory.descent_starts import allowed

    return allowed(state, largest_rate, options)
