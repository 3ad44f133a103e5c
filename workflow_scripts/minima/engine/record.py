"""What is written down of a stack of networks in training, and when each of them ends.

The training loop and the integrator of the flow both drive a `Record`: they show it the losses of every step
that they look at, and it says which networks have ended. Tensors have the networks still in training along
their first dimension.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from minima.engine.probes import Probe, State, accuracy_of
from minima.engine.progress import Progress

DIVERGED_LOSS = 1e3  # times the initial loss
ROUNDINGS = 16  # a relative error of so many units in the last place is none


@dataclass(frozen=True)
class Rules:
    """When networks stop and what is recorded. `residual`, `loss` and, where some network has a goal for it,
    `accuracy` hold a number per network."""

    residual: Tensor
    loss: Tensor
    max_steps: int
    record_steps: Sequence[int]
    record_residuals: Sequence[float]
    probes: Mapping[str, Probe] = field(default_factory=dict)
    accuracy: Tensor | None = None


@dataclass(frozen=True)
class Finished:
    """A network at its end."""

    index: int
    status: str  # converged, stopped or diverged
    steps: int
    residual: float  # √(loss/initial loss)
    weights: list[Tensor]  # [K, out, in] per layer
    losses: Tensor  # at the recorded steps; NaN after the end
    residual_steps: Tensor  # first step at or below each recorded residual; −1 if none
    probes: dict[str, Tensor]  # at the recorded steps; NaN after the end
    time: float | None = None  # of a flow, in units of learning rate × steps
    times: Tensor | None = None  # of a flow, at the recorded steps; NaN after the end
    state: Sequence[Tensor] = ()  # the optimizer's own


class Record:
    """Of networks with targets y [E, n, outputs]."""

    def __init__(self, rules: Rules, y: Tensor) -> None:
        networks, columns = len(y), len(rules.record_steps)
        self.rules = rules
        self.columns = {step: column for column, step in enumerate(rules.record_steps)}
        self.progress = Progress(networks)
        self.index = torch.arange(networks, device=y.device)
        self.residual_target, self.loss_target = rules.residual.to(y), rules.loss.to(y)
        self.accuracy_target = None if rules.accuracy is None else rules.accuracy.to(y.device)
        self.losses, self.times = (y.new_full((networks, columns), torch.nan) for _ in range(2))
        self.residual_steps = torch.full((networks, len(rules.record_residuals)), -1, device=y.device)
        self.probes: dict[str, Tensor] = {}

    def begin(self, loss: Tensor, y: Tensor) -> None:
        """The loss before the first step; 0 for a network that starts at the solution, up to rounding."""
        rounding = ROUNDINGS * torch.finfo(y.dtype).eps
        nothing = loss <= rounding**2 * y.square().sum((1, 2)) / (2 * y.shape[1])
        self.start_loss = torch.where(nothing, 0, loss)
        self._look_out()

    def wants(self, step: int) -> bool:
        """Whether this step is written down."""
        return step in self.columns

    def next_wanted(self, step: int) -> int:
        """The first step after this one that is written down, or the last one."""
        return min(s for s in (*self.rules.record_steps, self.rules.max_steps) if s > step)

    def nothing_happens(self, losses: Tensor) -> bool:
        """Whether networks with these losses [..., E] only go on."""
        return bool(((losses > self.near) & (losses <= self.far)).all())

    def goes_on(self, total: Tensor, wrong: Tensor, seen: int, points: int) -> bool:
        """Whether networks only go on, by some of the points: by the sum of their losses [E], which are no
        less than 0, and how many are in the wrong class. A loss has diverged where that of the seen has."""
        most = (points - wrong.double()) / points  # accuracy, were all others right
        if self.accuracy_target is not None and (most >= self.accuracy_target).any():
            return False
        return bool(((total / points > self.near) & (total / seen <= self.far)).all())

    def write(self, step: int, loss: Tensor, state: State, time: Tensor | float = torch.nan) -> None:
        column = self.columns[step]
        self.losses[:, column], self.times[:, column] = loss, time
        for name, probe in self.rules.probes.items():
            value = probe(state).to(self.losses)
            if name not in self.probes:
                self.probes[name] = value.new_full((*self.losses.shape, *value.shape[1:]), torch.nan)
            self.probes[name][:, column] = value

    def ended(
        self, step: int, loss: Tensor, f: Tensor | None = None, y: Tensor | None = None
    ) -> dict[int, str]:
        """Row → status of the networks that end at this step. Where a network only goes on, that is one
        comparison, whatever there is to be watched; predictions f and targets y matter to a goal for the
        accuracy alone."""
        last = step == self.rules.max_steps
        watched = self.accuracy_target is not None and f is not None
        accurate = accuracy_of(f, y) >= self.accuracy_target if watched else torch.zeros_like(loss).bool()
        if not last and not (watched and accurate.any()) and self.nothing_happens(loss):
            return {}
        residual = self.residual(loss)
        for column, level in enumerate(self.rules.record_residuals):
            first = self.residual_steps[:, column]
            first[(first < 0) & (residual <= level)] = step
        converged = (residual <= self.residual_target) | (loss <= self.loss_target) | accurate
        diverged = ~(loss <= self.far)  # NaN too
        self._look_out()
        return {
            row: "converged" if converged[row] else "diverged" if diverged[row] else "stopped"
            for row in (converged | diverged | last).nonzero().flatten().tolist()
        }

    def finished(
        self,
        row: int,
        status: str,
        step: int,
        loss: Tensor,
        weights: Sequence[Tensor],
        time: float | None = None,
        state: Sequence[Tensor] = (),
    ) -> Finished:
        """A row's network as it leaves, with a copy of its weights."""
        return Finished(
            int(self.index[row]),
            status,
            step,
            float(self.residual(loss)[row]),
            [weight[row].clone() for weight in weights],
            self.losses[row],
            self.residual_steps[row],
            {name: values[row] for name, values in self.probes.items()},
            time,
            self.times[row],
            [part[row] for part in state],
        )

    def keep(self, rows: Tensor) -> None:
        """Only these rows stay."""
        for name, value in vars(self).items():
            if isinstance(value, Tensor) or value is self.probes:
                setattr(self, name, picked(value, rows))

    def residual(self, loss: Tensor) -> Tensor:
        """√(loss/initial loss), for mse ‖y − f‖/‖y − f₀‖; 0 for a network that starts at the solution."""
        return torch.where(self.start_loss == 0, 0, (loss / self.start_loss).sqrt())

    def say(self, step: int, loss: Tensor) -> None:
        """A line of progress, where one is due."""
        if self.progress.due():
            self.progress.line(step, self.rules.max_steps, self.residual(loss), len(loss))

    def _look_out(self) -> None:
        """Sets the losses between which a network only goes on: `near`, where a goal or a level may be
        reached, and `far`, above which it has diverged."""
        goal = self.residual_target
        if self.rules.record_residuals:
            levels = torch.tensor(self.rules.record_residuals).to(goal)
            goal = torch.maximum(goal, torch.where(self.residual_steps < 0, levels, -1).amax(1))
        number = torch.finfo(goal.dtype)
        near = goal.square() * self.start_loss * (1 + ROUNDINGS * number.eps) + number.tiny
        self.near = torch.maximum(near, self.loss_target)
        self.far = DIVERGED_LOSS * self.start_loss


def picked(value: Any, rows: Tensor) -> Any:
    """These rows of a tensor, or of all tensors in a list or dict."""
    if isinstance(value, Tensor):
        return value[rows]
    if isinstance(value, dict):
        return {key: inner[rows] for key, inner in value.items()}
    return [inner[rows] for inner in value]
