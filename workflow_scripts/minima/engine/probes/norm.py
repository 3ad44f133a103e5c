"""Frobenius norm of each weight matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.marks import Probe

if TYPE_CHECKING:
    from torch import Tensor

    from minima.engine.state import State


class Norm(Probe):
    """Norm (Frobenius) of each weight matrix."""

    dims = ("layer",)


def measure(state: State) -> Tensor:
    """`measure` returns the norms [E, layers]."""
    return state.norms(state.weights)
