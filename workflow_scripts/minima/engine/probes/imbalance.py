"""Drift of the imbalance Λ = U1ᵀU1 − VᵀV of two linear layers, U1 what the points see of the first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.marks import ProbeOfLinearNets

if TYPE_CHECKING:
    from torch import Tensor

    from minima.engine.state import State

NEEDS_START = True
SAME_IN = ("narrow",)


class Imbalance(ProbeOfLinearNets):
    """Drift of the imbalance Λ of two linear layers, relative to its start."""


def measure(state: State) -> Tensor:
    """`measure` returns ‖Λ − Λ₀‖/‖Λ₀‖ [E]."""
    from minima.engine.seen import imbalance, row_space
    from minima.engine.state import norms

    basis = row_space(state.x)
    now, then = (imbalance(weights, basis) for weights in (state.weights, state.start))
    return norms(now - then) / norms(then)
