"""The largest step of an early theorem on the descent of linear networks, of two layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from minima.plan.optimizers import RateOfLinearDescent

if TYPE_CHECKING:
    from numpy import ndarray

    from minima.engine.state import State


class Pessimistic(RateOfLinearDescent):
    """p1³/(6144·8 ‖Y‖⁴), the largest step of the theorem of Arora et al. (2019) for two linear layers."""


def rate(options: Mapping[str, Any], state: State, spectrum: ndarray | None) -> float:
    """`rate` returns N times this step. Raises `ValueError` where p1 is 0."""
    from minima.theory.descent_bound import pessimistic_rate
    from minima.theory.descent_starts import allowed

    return allowed(state, pessimistic_rate, options)
