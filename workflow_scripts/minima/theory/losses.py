"""What theory must know of a training loss L(f, y), a mean over N points: how it pulls, how it bends, and
where trainings under it end.

A loss is a function (f, y) → (L [E], ∂L/∂f [E, n, o]), as of `minima.engine.losses`. Its pull e = −N ∂L/∂f is
what y − f is for the squared error.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from minima.engine.accuracy import accuracy_of
from minima.engine.losses import mse
from minima.engine.passes import Loss
from minima.engine.record import Rules

DIFFERENCE = 1e-5  # of f, whose unit is what a loss of labels changes over


@dataclass(frozen=True)
class Objective:
    """`Objective` is what E networks are trained for: a loss at their targets."""

    loss: Loss
    targets: Tensor  # y [E, n, o]

    @property
    def squared(self) -> bool:
        """`squared` returns whether the loss is the squared error, which has closed forms."""
        return self.loss is mse.loss

    def of(self, rows: Tensor) -> "Objective":
        """`of` returns the objective of some of the networks."""
        return replace(self, targets=self.targets[rows])

    def value(self, f: Tensor) -> Tensor:
        """`value` returns L [E] at f [E, n, o]."""
        return self.loss(f, self.targets)[0]

    def pull(self, f: Tensor) -> Tensor:
        """`pull` returns e = −N ∂L/∂f [E, n, o]."""
        return self.loss(f, self.targets)[1] * -self.targets.shape[1]

    def bend(self, f: Tensor) -> Tensor:
        """`bend` returns H = −∂e/∂f, point by point, [E, n, o, o], by central differences: good to 1e-9, and
        many times faster than forward differentiation of a few operations."""
        networks, _, outputs = f.shape
        sides = DIFFERENCE * torch.eye(outputs).to(f)
        ahead = torch.stack([f.unsqueeze(1) + sign * sides[:, None] for sign in (1, -1)])  # [2, E, o, n, o]
        wide = replace(self, targets=self.targets.repeat_interleave(outputs, 0).repeat(2, 1, 1))
        up, down = wide.pull(ahead.flatten(0, 2)).view(2, networks, outputs, *f.shape[1:])
        return ((down - up) / (2 * DIFFERENCE)).permute(0, 2, 3, 1)

    def residual(self, f: Tensor, start: Tensor) -> Tensor:
        """`residual` returns √(L/L₀) [E], of the squared error ‖y − f‖/‖y − f₀‖; 0 where L₀ is 0."""
        first = self.value(start)
        return torch.where(first == 0, 0, (self.value(f) / first).sqrt())


@dataclass(frozen=True)
class Goal:
    """`Goal` says where E trainings end: as soon as the loss is at or below `loss`, or so many of the
    training points in the right class."""

    objective: Objective
    loss: Tensor  # [E]; below 0 for none
    accuracy: Tensor | None = None  # [E]; above 1 for none

    @property
    def open(self) -> Tensor:
        """`open` returns which networks have no goal, and stop after their last step [E]."""
        open_loss = self.loss < 0
        return open_loss if self.accuracy is None else open_loss & (self.accuracy > 1)

    def met(self, f: Tensor) -> Tensor:
        """`met` returns which networks are there [E], for f [E, n, o]."""
        there = self.objective.value(f) <= self.loss
        if self.accuracy is None:
            return there
        return there | (accuracy_of(f, self.objective.targets) >= self.accuracy)


def goal_of(rules: Rules, objective: Objective, start: Tensor) -> Goal:
    """`goal_of` returns the goal that stop rules set to trainings from f₀ [E, n, o] on: their loss, or the
    share residual² of the loss at f₀, whichever comes first, or their accuracy."""
    residual, loss = rules.residual.to(start), rules.loss.to(start)
    share = torch.where(residual > 0, residual.square() * objective.value(start), -1)
    accuracy = None if rules.accuracy is None else rules.accuracy.to(start)
    return Goal(objective, torch.maximum(share, loss), accuracy)
