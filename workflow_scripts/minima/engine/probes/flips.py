"""Fraction of hidden units × training points whose sign is not that of the start.

A hidden layer is one of a fully connected net, or a call of an activation function in any other module, whose
units are what goes into it: pixels and channels, tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.marks import Probe

if TYPE_CHECKING:
    from torch import Tensor

    from minima.engine.state import State

NEEDS_START = True


class Flips(Probe):
    """Fraction of activations that changed sign."""

    dims = ("hidden_layer",)


def measure(state: State) -> Tensor:
    """`measure` returns the fraction per hidden layer [E, hidden layers]."""
    import torch

    now = state.ensemble.signs(state.weights, state.x)
    then = state.ensemble.signs(state.start, state.x)
    changed = [(a != b).flatten(1).double().mean(1) for a, b in zip(now, then, strict=True)]
    return torch.stack(changed, dim=1)
