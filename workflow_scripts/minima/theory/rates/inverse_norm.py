"""The first step of a theorem on the descent of linear networks by falling steps, of two layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from minima.plan.optimizers import RateOfLinearDescent

if TYPE_CHECKING:
    from numpy import ndarray

    from minima.engine.state import State


class InverseNorm(RateOfLinearDescent):
    """1/(100 ‖Y‖), the largest of the steps of Du et al. (2018), which fall as 1/(t + 1): schedule inverse
    of length 1."""


def rate(options: Mapping[str, Any], state: State, spectrum: ndarray | None) -> float:
    """`rate` returns N times this step."""
    from minima.theory.descent_bound import inverse_norm_rate
    from minima.theory.descent_starts import allowed

    return allowed(state, inverse_norm_rate, options)
