"""Shares of the neurons of one hidden layer that see their own class and nothing else.

Neurons that start small turn first and grow afterwards; those of sign v_j = ±1 turn until they see just the
points with y_i = ±1, or none (2307.12851).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.marks import ProbeOfNeurons

if TYPE_CHECKING:
    from torch import Tensor

    from minima.engine.state import State

NEEDS_START = True


class OwnCone(ProbeOfNeurons):
    """Share in their own cone of neurons that saw their class at the start and of live ones; share of dead
    ones."""

    dims = ("neurons",)


def measure(state: State) -> Tensor:
    """`measure` returns three shares [E, 3]: of the neurons that saw a point of their own class at the start,
    of those that see any point now, how many see all points of their own class and no other; and how many of
    all see none. A share of no neurons is NaN."""
    import torch

    from minima.engine.neurons import neurons_of, share

    then, now = neurons_of(state, state.start), neurons_of(state, state.weights)
    shares = [share(now.in_cone, then.sees_own), share(now.in_cone, ~now.dead), now.dead.double().mean(1)]
    return torch.stack(shares, dim=1)
