"""Frobenius norm of each weight matrix."""

import torch
from torch import Tensor

from minima.engine.state import State, norms


def measure(state: State) -> Tensor:
    """`measure` returns the norms [E, layers]."""
    return torch.stack([norms(state.weights[i]) for i in state.ensemble.parameters], dim=1)
