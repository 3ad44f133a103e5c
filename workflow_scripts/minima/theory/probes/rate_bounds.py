"""Lower bounds on the rate of a two-layer linear net in training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.marks import ProbeOfLinearNets

if TYPE_CHECKING:
    from torch import Tensor

    from minima.engine.state import State

SAME_IN = ("narrow",)


class RateBounds(ProbeOfLinearNets):
    """Lower bounds on the decay, by Theorem 1 and Proposition 1′ of 2105.06351."""

    dims = ("bound",)
    units = "loss"


def measure(state: State) -> Tensor:
    """`measure` returns lower bounds [E, 2] on −L̇/L of the training loss ‖y − f‖²/2n under gradient flow,
    per learning rate × steps: by Theorem 1 and by Proposition 1′ of 2105.06351, for nets of one copy."""
    from minima.theory.linear_nets import Net, Problem, imbalance, rate, rate_now
    from minima.theory.linear_states import measured

    points = state.x.shape[1]

    def bounds(data: Problem, here: Net) -> list[float]:
        extremes = imbalance(here)
        return [float(bound) / points for bound in (rate(data, extremes), rate_now(data, extremes, here))]

    return measured(state, bounds)
