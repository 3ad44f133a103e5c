"""Fraction of test points in the right class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from minima.plan.marks import Probe

if TYPE_CHECKING:
    from torch import Tensor

    from minima.engine.state import State

NEEDS_TEST = True


class TestAccuracy(Probe):
    """Fraction of test points in the right class."""

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        if cell["optimizer"]["name"] == "flow":
            yield "record.probes: test_accuracy goes with every optimizer but flow"


def measure(state: State) -> Tensor:
    """`measure` returns the fraction [E]."""
    from minima.engine.accuracy import accuracy_of

    x, y = state.test
    return accuracy_of(state.ensemble.forward(state.weights, x)[0], y)
