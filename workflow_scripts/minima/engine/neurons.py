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
    """`Neurons` are the units [E, m] of E networks at n points: w [E, m, d], v [E, m], and 1 where a unit
    sees a point, else 0, [E, m, n]. Points are counted by products, which take no pass of their own."""

    w: Tensor
    v: Tensor
    sees: Tensor
    y: Tensor  # ±1 [E, n]

    @cached_property
    def sign(self) -> Tensor:
        """`sign` returns ±1 for the class of each unit [E, m]."""
        return torch.where(self.v > 0, 1.0, -1.0).to(self.y)

    @cached_property
    def seen(self) -> Tensor:
        """`seen` returns how many points each unit sees [E, m]."""
        return self.sees.sum(2)

    @cached_property
    def lead(self) -> Tensor:
        """`lead` returns how many more of its own points than of others each unit sees [E, m]."""
        return self.sign * (self.sees @ self.y.unsqueeze(2))[..., 0]

    @property
    def sees_own(self) -> Tensor:
        """`sees_own` returns which units see a point of their own [E, m]."""
        return self.seen + self.lead > 0

    @property
    def dead(self) -> Tensor:
        """`dead` returns which units see no point [E, m]."""
        return self.seen == 0

    @property
    def in_cone(self) -> Tensor:
        """`in_cone` returns which units see their own points and no others [E, m]: the lead is as large as
        it can be, the number of their own points."""
        return 2 * self.lead == self.y.shape[1] + self.sign * self.y.sum(1, keepdim=True)


def neurons_of(state: State, weights: Sequence[Tensor]) -> Neurons:
    """`neurons_of` returns the units of networks with these weights, such as those of a state or of its
    start, at the state's points."""
    w, v = weights[0][:, 0], weights[1][:, 0, 0]  # of the only copy
    return Neurons(w, v, (w @ state.x.mT).gt_(0), state.y[..., 0])


def share(which: Tensor, among: Tensor) -> Tensor:
    """`share` returns the fraction [E] of those among units [E, m] that are in `which`; NaN of none."""
    return torch.sum(which & among, 1, dtype=torch.float64) / among.sum(1)
