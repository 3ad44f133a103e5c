"""The first order of how far finite steps take the imbalance of two linear layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.marks import ProbeOfLinearDescent

if TYPE_CHECKING:
    from torch import Tensor

    from minima.engine.state import State

SAME_IN = ("narrow",)
ONCE = True


class DriftConstant(ProbeOfLinearDescent):
    """‖J‖ at the first recorded step: from there the imbalance drifts by ηJ + O(η²), η = learning rate/N."""


def measure(state: State) -> Tensor:
    """`measure` returns ‖J‖ [E] along the gradient flow from here to its end, NaN where it does not come to
    one."""
    from numpy.linalg import norm

    from minima.theory.drift import drift
    from minima.theory.linear_states import measured

    return measured(state, lambda data, here: float(norm(drift(data, here))))
