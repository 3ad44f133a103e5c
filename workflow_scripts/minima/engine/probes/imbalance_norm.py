"""Size of the imbalance D = W1W1ᵀ − W2ᵀW2 of two linear layers, of the first what the points see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.marks import ProbeOfLinearNets

if TYPE_CHECKING:
    from torch import Tensor

    from minima.engine.state import State

SAME_IN = ("narrow",)


class ImbalanceNorm(ProbeOfLinearNets):
    """‖D‖ of the imbalance D of two linear layers."""


def measure(state: State) -> Tensor:
    """`measure` returns ‖D‖ [E]."""
    from minima.engine.seen import imbalance, row_space
    from minima.engine.state import norms

    return norms(imbalance(state.weights, row_space(state.x)))
