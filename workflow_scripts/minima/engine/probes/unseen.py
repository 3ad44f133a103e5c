"""Drift of U2, of what the points do not see of the first of two linear layers."""

from torch import Tensor

from minima.engine.probes.seen import row_space
from minima.engine.state import State, norms

NEEDS_START = True


def measure(state: State) -> Tensor:
    """`measure` returns ‖U2 − U2₀‖/‖U2₀‖ [E]."""
    basis = row_space(state.x)
    now, then = (weights[0] - weights[0] @ basis @ basis.mT for weights in (state.weights, state.start))
    return norms(now - then) / norms(then)
