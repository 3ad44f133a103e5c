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
    import torch

    from minima.theory.linear_nets import imbalance, narrow, net, problem, rate, rate_now

    found = []
    factor = state.ensemble.model.factors[0] * state.ensemble.model.factors[1]
    for row in range(len(state.x)):
        x, y = (array[row].double().cpu().numpy() for array in (state.x, state.y))
        first, second = (weight[row, 0].double().cpu().numpy() for weight in state.weights)
        data = problem(factor * x, y)
        here = narrow(net(data, first.T, second))
        extremes = imbalance(here)
        bounds = rate(data, extremes), rate_now(data, extremes, here)
        found.append([float(bound) / len(x) for bound in bounds])
    return torch.tensor(found, dtype=torch.float64, device=state.x.device)
