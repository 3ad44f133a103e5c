"""Fraction of test points in the right class."""

from torch import Tensor

from minima.engine.accuracy import accuracy_of
from minima.engine.state import State

NEEDS_TEST = True


def measure(state: State) -> Tensor:
    """`measure` returns the fraction [E]."""
    x, y = state.test
    return accuracy_of(state.ensemble.forward(state.weights, x)[0], y)
