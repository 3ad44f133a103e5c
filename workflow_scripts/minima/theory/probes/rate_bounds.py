"""Lower bounds on the rate of a two-layer linear net in training."""

import numpy as np
import torch
from torch import Tensor

from minima.engine.state import State
from minima.theory.linear_nets import imbalance, narrow, net, problem, rate, rate_now

SAME_IN = ("narrow",)


def measure(state: State) -> Tensor:
    """`measure` returns lower bounds [E, 2] on −L̇/L of the training loss ‖y − f‖²/2n under gradient flow,
    per learning rate × steps: by Theorem 1 and by Proposition 1′ of 2105.06351, for nets of one copy."""
    found = []
    factor = state.ensemble.model.factors[0] * state.ensemble.model.factors[1]
    for row in range(len(state.x)):
        x, y = (array[row].double().cpu().numpy() for array in (state.x, state.y))
        first, second = (weight[row, 0].double().cpu().numpy() for weight in state.weights)
        data = problem(factor * x, y)
        here = narrow(net(data, first.T, second))
        extremes = imbalance(here)
        found.append([rate(data, extremes) / len(x), rate_now(data, extremes, here) / len(x)])
    return torch.as_tensor(np.array(found), device=state.x.device)
