"""The first step of the descent of two linear layers that takes the steps which lower its bound most: η_0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from minima.plan.optimizers import RateOfBounds

if TYPE_CHECKING:
    from numpy import ndarray

    from minima.engine.state import State


class FirstDescent(RateOfBounds):
    """η_0 of Xu et al. (2023): the step that lowers their bound on the loss most at the start."""


def rate(options: Mapping[str, Any], state: State, spectrum: ndarray | None) -> float:
    """`rate` returns N min(η′_0, ηmax). Raises `ValueError` where the bounds allow no step."""
    from minima.theory.descent_bound import first_rate
    from minima.theory.descent_starts import allowed

    return allowed(state, first_rate, options)
