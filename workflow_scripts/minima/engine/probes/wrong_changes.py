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
    change = now.sees - then.sees
    changed = change.abs().sum(2)
    right_less_wrong = then.sign * (change @ now.y.unsqueeze(2))[..., 0]
    both = torch.stack([(changed - right_less_wrong) / 2, changed], dim=1)
    return both.mean(2) / now.y.shape[1]
