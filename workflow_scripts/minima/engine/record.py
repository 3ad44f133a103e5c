"""What is written down of a stack of networks in training, and when each of them ends.

The training loop and the integrator of the flow both drive a `Record`: they show it the losses of every step
that they look at, and it says which networks have ended. Tensors have the networks still in training along
their first dimension.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from minima.engine.accuracy import accuracy_of
from minima.engine.divergence import DIVERGED_LOSS
from minima.engine.progress import Progress
from minima.engine.state import State, of_each

ROUNDINGS = 16  # a relative error of so many units in the last place is none


@dataclass(frozen=True)
class Rules:
    """`Rules` says when networks stop and what is recorded. `residual` and `loss` hold one goal per network;
    `accuracy` does too, and is None where no network has a goal for its accuracy."""

    residual: Tensor
    loss: Tensor
    max_steps: int
    record_steps: Sequence[int]
    record_residuals: Sequence[float]
    probes: Mapping[str, ModuleType] = field(default_factory=dict)  # of minima.engine.probes
    accuracy: Tensor | None = None


@dataclass(frozen=True)
class Finished:
    """`Finished` is one network at its end, with everything recorded of its training."""

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
    """`Record` keeps what is recorded of the networks in training, whose targets are y [E, n, outputs]."""

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
        """`begin` notes the loss before the first step, which residuals are relative to. A network that
        starts at the solution up to rounding is given the loss 0."""
        rounding = ROUNDINGS * torch.finfo(y.dtype).eps
        nothing = loss <= rounding**2 * y.square().sum((1, 2)) / (2 * y.shape[1])
        self.start_loss = torch.where(nothing, 0, loss)
        self._look_out()

    def wants(self, step: int) -> bool:
        """`wants` returns whether this step is among the recorded ones."""
        return step in self.columns

    def next_wanted(self, step: int) -> int:
        """`next_wanted` returns the first recorded step after this one, or the last step of the training."""
        return min(s for s in (*self.rules.record_steps, self.rules.max_steps) if s > step)

    def nothing_happens(self, losses: Tensor) -> bool:
        """`nothing_happens` returns whether at these losses [..., E] every network goes on: no network
        reaches a goal or a recorded residual, and none diverges."""
        if losses.ndim == 1:  # one by one in Python: a tenth of the calls
            return all(map(_lies_between, losses.tolist(), *self.bounds))
        return bool(((losses > self.near) & (losses <= self.far)).all())

    def goes_on(self, total: Tensor, wrong: Tensor | int, seen: int, points: int) -> bool:
        """`goes_on` returns whether the first `seen` of all points prove that every network goes on.

        total [E]: the sum of the losses of the seen points, a lower bound on that of all points, as a point's
        loss is ≥ 0; wrong [E]: how many seen points are in the wrong class, where a network has a goal for
        its accuracy. A network counts as diverged when the mean loss of the seen points says so.
        """
        if self.accuracy_target is not None:
            most = (points - wrong.double()) / points  # accuracy, were all others right
            if (most >= self.accuracy_target).any():
                return False
        return bool(((total / points > self.near) & (total / seen <= self.far)).all())

    def write(self, step: int, loss: Tensor, state: State, time: Tensor | float = torch.nan) -> None:
        column = self.columns[step]
        self.losses[:, column], self.times[:, column] = loss, time
        finite = loss.isfinite()
        seen = state.of_numbers(finite) if self.rules.probes else state
        for name, probe in self.rules.probes.items():
            if getattr(probe, "ONCE", False) and name in self.probes:
                continue
            value = of_each(finite, probe.measure(seen).to(self.losses), torch.nan)
            if name not in self.probes:
                self.probes[name] = value.new_full((*self.losses.shape, *value.shape[1:]), torch.nan)
            self.probes[name][:, column] = value

    def ended(
        self, step: int, loss: Tensor, f: Tensor | None = None, y: Tensor | None = None
    ) -> dict[int, str]:
        """`ended` returns row → status of the networks that end at this step, and notes which recorded
        residuals were reached.

        While all networks go on, the call costs a single comparison. Predictions f and targets y are read
        only where a network has a goal for its accuracy.
        """
        last = step == self.rules.max_steps
        watched = self.accuracy_target is not None and f is not None
        accurate = accuracy_of(f, y) >= self.accuracy_target if watched else None
        if not last and not (watched and accurate.any()) and self.nothing_happens(loss):
            return {}
        accurate = torch.zeros_like(loss, dtype=torch.bool) if accurate is None else accurate
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
        """`finished` returns the network of a row as `Finished`, with a copy of its weights."""
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
        """`keep` drops every network but those of these rows."""
        for name, value in vars(self).items():
            if isinstance(value, Tensor) or value is self.probes:
                setattr(self, name, picked(value, rows))
        self.bounds = self.near.tolist(), self.far.tolist()

    def residual(self, loss: Tensor) -> Tensor:
        """`residual` returns √(loss/initial loss), for mse ‖y − f‖/‖y − f₀‖; 0 for a network that started at
        the solution."""
        return torch.where(self.start_loss == 0, 0, (loss / self.start_loss).sqrt())

    def say(self, step: int, loss: Tensor) -> None:
        """`say` logs a line of progress when ten seconds have passed since the last one."""
        if self.progress.due():
            self.progress.line(step, self.rules.max_steps, self.residual(loss), len(loss))

    def _look_out(self) -> None:
        """`_look_out` sets the two losses between which a network goes on training: at `near` and below the
        network may have reached a goal or a recorded residual, above `far` the network has diverged."""
        goal = self.residual_target
        if self.rules.record_residuals:
            levels = torch.tensor(self.rules.record_residuals).to(goal)
            goal = torch.maximum(goal, torch.where(self.residual_steps < 0, levels, -1).amax(1))
        number = torch.finfo(goal.dtype)
        near = goal.square() * self.start_loss * (1 + ROUNDINGS * number.eps) + number.tiny
        self.near = torch.maximum(near, self.loss_target)
        self.far = DIVERGED_LOSS * self.start_loss
        self.bounds = self.near.tolist(), self.far.tolist()


def _lies_between(loss: float, near: float, far: float) -> bool:
    return near < loss <= far


def picked(value: Any, rows: Tensor) -> Any:
    """`picked` returns these rows of a tensor, or of every tensor in a list or dict."""
    if isinstance(value, Tensor):
        return value[rows]
    if isinstance(value, dict):
        return {key: inner[rows] for key, inner in value.items()}
    return [inner[rows] for inner in value]
