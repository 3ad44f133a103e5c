"""Fraction of hidden units × training points whose sign is not that of the start."""

import torch
from torch import Tensor

from minima.engine.state import State

NEEDS_START = True


def measure(state: State) -> Tensor:
    """`measure` returns the fraction per hidden layer [E, hidden layers]."""
    now = state.ensemble.signs(state.weights, state.x)
    then = state.ensemble.signs(state.start, state.x)
    changed = [(a != b).flatten(1).double().mean(1) for a, b in zip(now, then, strict=True)]
    return torch.stack(changed, dim=1)
