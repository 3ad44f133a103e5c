"""Fraction of training points in the right class."""

from torch import Tensor

from minima.engine.accuracy import accuracy_of
from minima.engine.state import State

SAME_IN = ("narrow", "gram")


def measure(state: State) -> Tensor:
    """`measure` returns the fraction [E]."""
    return accuracy_of(state.f, state.y)
