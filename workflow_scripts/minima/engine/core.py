"""The training loop: a stack of networks, trained together, each finishing on its own.

Networks never see each other: every operation acts on one slice of the stack, and one that has finished
leaves it. Shapes: E networks of K copies each; weights [E, K, out, in]; x [E, n, d]; y [E, n, outputs].
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from minima.engine.batches import Batches, rows_of
from minima.engine.ensemble import Ensemble
from minima.engine.losses import Loss, mse
from minima.engine.probes import NEEDS_START, Probe, State
from minima.engine.progress import Progress
from minima.engine.schedules import Schedule, constant

DIVERGED_LOSS = 1e3  # times the initial loss
ROUNDINGS = 16  # a relative error of so many units in the last place is none


@dataclass(frozen=True)
class Rules:
    """When networks stop and what is recorded. `residual` and `loss` hold a number per network."""

    residual: Tensor
    loss: Tensor
    max_steps: int
    record_steps: Sequence[int]
    record_residuals: Sequence[float]
    probes: Mapping[str, Probe] = field(default_factory=dict)


@dataclass(frozen=True)
class Recipe:
    """How to train: loss, optimizer and its hyperparameters per network, batches, weight decay."""

    optimizer: ModuleType
    numbers: Mapping[str, Tensor]
    loss: Loss = mse
    schedule: Schedule = constant
    batches: Batches | None = None
    decay_toward: str | None = None  # zero or start; its strength is numbers["weight_decay.strength"]


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


@dataclass
class _Stack:
    """The networks still in training; every tensor has them along its first dimension."""

    index: Tensor
    x: Tensor
    y: Tensor
    start_loss: Tensor
    near: Tensor  # at a loss of so much or less something may happen: a goal, a level
    far: Tensor  # diverged above this
    residual_target: Tensor
    loss_target: Tensor
    losses: Tensor
    residual_steps: Tensor
    weights: list[Tensor]
    start: list[Tensor]  # the weights before the first step, where something asks for them
    state: list[Tensor]
    numbers: dict[str, Tensor]
    probes: dict[str, Tensor] = field(default_factory=dict)

    def keep(self, rows: Tensor) -> "_Stack":
        def pick(value: Any) -> Any:
            if isinstance(value, Tensor):
                return value[rows]
            if isinstance(value, dict):
                return {key: inner[rows] for key, inner in value.items()}
            return [inner[rows] for inner in value]

        return replace(self, **{name: pick(value) for name, value in vars(self).items()})


@dataclass(frozen=True)
class _Gradients:
    """The gradient at the present weights, handed to the optimizer unevaluated: added where it is wanted, it
    needs no buffer and no further pass over the weights."""

    ensemble: Ensemble
    weights: list[Tensor]
    anchor: list[Tensor] | None  # of the weight decay; empty for 0
    strength: Tensor | None
    tape: Any
    slope: Tensor  # ∂L/∂f

    def add(self, into: Sequence[Tensor], factor: Tensor | float = 1.0) -> None:
        """into += factor · (∂L/∂W + decay), with a factor per network [E, 1, 1, 1]; once a step."""
        targets: list[Tensor | None] = [None] * len(self.weights)
        for layer, target in zip(self.ensemble.trained, into, strict=True):
            targets[layer] = target

        def decay(layer: int) -> None:
            targets[layer].add_(_from(self.weights, self.anchor, layer) * (self.strength * factor))

        slope = self.slope * (factor.squeeze(3) if isinstance(factor, Tensor) else factor)
        self.ensemble.add_gradients(
            self.weights, self.tape, slope, targets, decay if self.anchor is not None else None
        )


def train(
    ensemble: Ensemble, weights: Sequence[Tensor], x: Tensor, y: Tensor, recipe: Recipe, rules: Rules
) -> Iterator[Finished]:
    """Minimizes the loss of y − f(x), network by network; yields each as it finishes.

    `weights` are trained in place. Full-batch training looks at the stop rules at every step, mini-batch
    training, where that costs a pass over all points, after every epoch and at recorded steps.
    """
    batches = recipe.batches
    stack = _stack(ensemble, weights, x, y, recipe, rules)
    progress = Progress(len(y))
    columns = {step: column for column, step in enumerate(rules.record_steps)}
    tape = None
    for step in range(rules.max_steps + 1):
        if batches is None or step % batches.per_epoch == 0 or step in columns or step == rules.max_steps:
            f, tape = ensemble.forward(stack.weights, stack.x, tape)
            loss, slope = recipe.loss(f, stack.y)
            if step == 0:
                stack.start_loss = loss_at_start(loss, stack.y)
                _look_out(stack, rules.record_residuals)
            if step in columns:
                _record(
                    stack,
                    columns[step],
                    rules.probes,
                    loss,
                    State(ensemble, recipe.loss, stack.weights, stack.start, stack.x, stack.y, f),
                )
            if step == rules.max_steps or not ((loss > stack.near) & (loss <= stack.far)).all():
                residual = residual_of(loss, stack.start_loss)
                _mark_first_steps(stack.residual_steps, residual, rules.record_residuals, step)
                converged = (residual <= stack.residual_target) | (loss <= stack.loss_target)
                diverged = ~(loss <= stack.far)  # NaN too
                ended = converged | diverged | (step == rules.max_steps)
                for row in ended.nonzero().flatten().tolist():
                    status = "converged" if converged[row] else "diverged" if diverged[row] else "stopped"
                    yield _finished(stack, row, status, step, residual)
                if ended.any():
                    going = (~ended).nonzero().flatten()
                    if not len(going):
                        return
                    stack = stack.keep(going)
                    if batches is not None:
                        batches.keep(going.tolist())
                    else:
                        f, tape = ensemble.forward(stack.weights, stack.x, tape)
                        loss, slope = recipe.loss(f, stack.y)
                _look_out(stack, rules.record_residuals)
            if progress.due():
                progress.line(step, rules.max_steps, residual_of(loss, stack.start_loss), len(loss))
        if batches is not None:
            rows = batches.next(step, y.device)
            f, tape = ensemble.forward(stack.weights, rows_of(stack.x, rows), tape)
            _, slope = recipe.loss(f, rows_of(stack.y, rows))
        _take_step(ensemble, stack, recipe, tape, slope, step)


def _take_step(
    ensemble: Ensemble, stack: _Stack, recipe: Recipe, tape: Any, slope: Tensor, step: int
) -> None:
    numbers = stack.numbers | {"lr": stack.numbers["lr"] * recipe.schedule(stack.numbers, step)}
    trained = [stack.weights[layer] for layer in ensemble.trained]
    strength = numbers.get("weight_decay.strength")
    anchor = None if recipe.decay_toward is None else stack.start
    decoupled = anchor is not None and getattr(recipe.optimizer, "DECOUPLED", False)
    pulls = (
        [_from(stack.weights, anchor, layer) * (strength * numbers["lr"]) for layer in ensemble.trained]
        if decoupled
        else []
    )
    gradients = _Gradients(ensemble, stack.weights, None if decoupled else anchor, strength, tape, slope)
    recipe.optimizer.step(trained, stack.state, numbers, gradients.add, step + 1)
    for weight, pull in zip(trained, pulls, strict=False):
        weight.sub_(pull)


def _from(weights: Sequence[Tensor], anchor: Sequence[Tensor], layer: int) -> Tensor:
    """A layer's weights as seen from the anchor of the decay, which is 0 where there is none."""
    return weights[layer] - anchor[layer] if anchor else weights[layer]


def _stack(
    ensemble: Ensemble, weights: Sequence[Tensor], x: Tensor, y: Tensor, recipe: Recipe, rules: Rules
) -> _Stack:
    networks = len(y)
    wants_start = recipe.decay_toward == "start" or bool(NEEDS_START & set(rules.probes))
    return _Stack(
        index=torch.arange(networks, device=y.device),
        x=x,
        y=y,
        start_loss=y.new_empty(networks),
        near=y.new_empty(networks),
        far=y.new_empty(networks),
        residual_target=rules.residual.to(y),
        loss_target=rules.loss.to(y),
        losses=y.new_full((networks, len(rules.record_steps)), torch.nan),
        residual_steps=torch.full((networks, len(rules.record_residuals)), -1, device=y.device),
        weights=list(weights),
        start=[weight.clone() for weight in weights] if wants_start else [],
        state=recipe.optimizer.start([weights[layer] for layer in ensemble.trained]),
        # [E, 1, 1, 1]: broadcasts over copies and weights
        numbers={name: number.to(y).reshape(-1, 1, 1, 1) for name, number in recipe.numbers.items()},
    )


def _record(stack: _Stack, column: int, probes: Mapping[str, Probe], loss: Tensor, state: State) -> None:
    stack.losses[:, column] = loss
    for name, probe in probes.items():
        value = probe(state).to(stack.losses)
        if name not in stack.probes:
            shape = (*stack.losses.shape, *value.shape[1:])
            stack.probes[name] = value.new_full(shape, torch.nan)
        stack.probes[name][:, column] = value


def _finished(stack: _Stack, row: int, status: str, step: int, residual: Tensor) -> Finished:
    return Finished(
        int(stack.index[row]),
        status,
        step,
        float(residual[row]),
        [weight[row].clone() for weight in stack.weights],
        stack.losses[row],
        stack.residual_steps[row],
        {name: values[row] for name, values in stack.probes.items()},
    )


def loss_at_start(loss: Tensor, y: Tensor) -> Tensor:
    """The loss at the start; 0 for a network that starts at the solution, up to rounding."""
    rounding = ROUNDINGS * torch.finfo(y.dtype).eps
    return torch.where(loss <= rounding**2 * y.square().sum((1, 2)) / (2 * y.shape[1]), 0, loss)


def residual_of(loss: Tensor, start_loss: Tensor) -> Tensor:
    """√(loss/initial loss), for mse ‖y − f‖/‖y − f₀‖; 0 for a network that starts at the solution."""
    return torch.where(start_loss == 0, 0, (loss / start_loss).sqrt())


def _look_out(stack: _Stack, levels: Sequence[float]) -> None:
    """Sets the losses between which a network only goes on, so that a step has one thing to check."""
    goal = stack.residual_target
    if levels:
        ahead = torch.where(stack.residual_steps < 0, torch.tensor(levels).to(goal), -1).amax(1)
        goal = torch.maximum(goal, ahead)
    number = torch.finfo(goal.dtype)
    near = goal.square() * stack.start_loss * (1 + ROUNDINGS * number.eps) + number.tiny
    stack.near = torch.maximum(near, stack.loss_target)
    stack.far = DIVERGED_LOSS * stack.start_loss


def _mark_first_steps(first: Tensor, residual: Tensor, levels: Sequence[float], step: int) -> None:
    for column, level in enumerate(levels):
        first[:, column] = torch.where((first[:, column] < 0) & (residual <= level), step, first[:, column])
