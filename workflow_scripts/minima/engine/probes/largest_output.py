"""Largest |f| on the training points: how far the network has left the neighbourhood of 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.marks import Probe

if TYPE_CHECKING:
    from torch import Tensor

    from minima.engine.state import State

SAME_IN = ("narrow", "gram")


class LargestOutput(Probe):
    """Largest |f| on the training points."""


def measure(state: State) -> Tensor:
    """`measure` returns max |f| over points and outputs [E]."""
    return state.f.abs().flatten(1).amax(1)
