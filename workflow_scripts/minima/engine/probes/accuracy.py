"""Fraction of training points in the right class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.marks import Probe

if TYPE_CHECKING:
    from torch import Tensor

    from minima.engine.state import State

SAME_IN = ("narrow", "gram")


class Accuracy(Probe):
    """Fraction of training points in the right class."""


def measure(state: State) -> Tensor:
    """`measure` returns the fraction [E]."""
    from minima.engine.accuracy import accuracy_of

    return accuracy_of(state.f, state.y)
