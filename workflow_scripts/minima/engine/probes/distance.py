"""Distance of each weight matrix from its start."""

import torch
from torch import Tensor

from minima.engine.state import State, norms

NEEDS_START = True
SAME_IN = ("narrow",)


def measure(state: State) -> Tensor:
    """`measure` returns the distances [E, layers]."""
    moved = [norms(state.weights[i] - state.start[i]) for i in state.ensemble.parameters]
    return torch.stack(moved, dim=1)
