"""Which points neurons have lost or gained since the start against the direction of their class.

A neuron of sign v_j gains points of its own class and loses others as it turns toward its class; wrong is
what goes the other way. Points and neurons are those of `minima.engine.neurons`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.marks import ProbeOfNeurons

if TYPE_CHECKING:
    from torch import Tensor

    from minima.engine.state import State

NEEDS_START = True


class WrongChanges(ProbeOfNeurons):
    """Fractions of neurons × points: own points lost or others gained since the start; all that changed."""

    dims = ("changes",)


def measure(state: State) -> Tensor:
    """`measure` returns both fractions [E, 2]. A neuron's own class is that of its sign at the start."""
    import torch

    from minima.engine.neurons import neurons_of

    then, now = neurons_of(state, state.start), neurons_of(state, state.weights)
    changed = now.sees != then.sees
    wrong = changed & (now.sees != then.own)
    return torch.stack([part.flatten(1).double().mean(1) for part in (wrong, changed)], dim=1)
