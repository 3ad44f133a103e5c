"""Drift of U2, of what the points do not see of the first of two linear layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.marks import ProbeOfLinearNets

if TYPE_CHECKING:
    from torch import Tensor

    from minima.engine.state import State

NEEDS_START = True


class Unseen(ProbeOfLinearNets):
    """Drift of what the points do not see of the first layer, relative to its start."""


def measure(state: State) -> Tensor:
    """`measure` returns ‖U2 − U2₀‖/‖U2₀‖ [E]."""
    from minima.engine.seen import row_space
    from minima.engine.state import norms

    basis = row_space(state.x)
    now, then = (weights[0] - weights[0] @ basis @ basis.mT for weights in (state.weights, state.start))
    return norms(now - then) / norms(then)
