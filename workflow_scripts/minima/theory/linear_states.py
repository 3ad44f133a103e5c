"""Stacks of two-layer linear networks in training, as `minima.theory.linear_nets` takes networks."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from minima.engine.state import State
from minima.theory.linear_nets import Net, Problem, narrow, net, problem


def networks_of(state: State) -> Iterator[tuple[Problem, Net]]:
    """`networks_of` yields the problem of each network of a stack, whose points are s x for a network
    f(x) = s W_2 W_1 x, and the network, narrow; of networks of one copy."""
    factors = state.ensemble.model.factors
    for row in range(len(state.x)):
        x, y = (array[row].double().cpu().numpy() for array in (state.x, state.y))
        first, second = (weight[row, 0].double().cpu().numpy() for weight in state.weights)
        data = problem(factors[0] * factors[1] * x, y)
        yield data, narrow(net(data, first.T, second))


def measured(state: State, number: Callable[[Problem, Net], Sequence[float] | float]) -> Tensor:
    """`measured` returns what `number` returns of each network of a stack, [E] or [E, numbers]."""
    found = [number(*network) for network in networks_of(state)]
    return torch.tensor(found, dtype=torch.float64, device=state.x.device)
