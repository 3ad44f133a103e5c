"""The units of one hidden layer of ReLU before one output, and the points that each of them sees.

A unit j with weights w_j and output weight v_j sees a point where ⟨w_j, x_i⟩ > 0; its own points are those
with y_i = sign v_j. It is dead where it sees none, in its cone where it sees its own points and no others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from minima.engine.state import State


@dataclass(frozen=True)
class Neurons:
    """`Neurons` are the units [E, m] of E networks at n points: w [E, m, d], v [E, m], and which unit sees
    which point [E, m, n]."""

    w: Tensor
    v: Tensor
    sees: Tensor
    y: Tensor  # [E, n]

    @cached_property
    def own(self) -> Tensor:
        """`own` returns which points are a unit's own [E, m, n]."""
        return (self.v > 0).unsqueeze(2) == (self.y > 0).unsqueeze(1)

    @property
    def dead(self) -> Tensor:
        """`dead` returns which units see no point [E, m]."""
        return ~self.sees.any(2)

    @property
    def in_cone(self) -> Tensor:
        """`in_cone` returns which units see their own points and no others [E, m]."""
        return (self.sees == self.own).all(2)


def neurons_of(state: State, weights: Sequence[Tensor]) -> Neurons:
    """`neurons_of` returns the units of networks with these weights, such as those of a state or of its
    start, at the state's points."""
    (seen,) = state.ensemble.signs(weights, state.x)
    return Neurons(weights[0][:, 0], weights[1][:, 0, 0], seen.mT, state.y[..., 0])


def share(which: Tensor, among: Tensor) -> Tensor:
    """`share` returns the fraction [E] of those among units [E, m] that are in `which`; NaN of none."""
    return torch.sum(which & among, 1, dtype=torch.float64) / among.sum(1)
