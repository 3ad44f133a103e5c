"""The training loop: a stack of networks, trained together, each finishing on its own.

Networks never see each other: every operation acts on one slice of the stack, and one that has finished
leaves it. Shapes: E networks of K copies each; weights [E, K, out, in]; x [E, n, d]; y [E, n, outputs].
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from minima.engine.accuracy import right
from minima.engine.batches import Batches, rows_of
from minima.engine.ensemble import Ensemble
from minima.engine.record import Finished, Record, Rules, picked
from minima.engine.state import State

if TYPE_CHECKING:
    from minima.engine.augment import Augment

Loss = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # of minima.engine.losses
Schedule = Callable[[Mapping[str, Tensor], int], Tensor]  # of minima.engine.schedules

FIRST_LOOK = 64  # points of a pass over all of them that may end early


@dataclass(frozen=True)
class Recipe:
    """How to train: loss, optimizer and its hyperparameters per network, batches, weight decay."""

    optimizer: ModuleType
    numbers: Mapping[str, Tensor]
    loss: Loss
    schedule: Schedule | None = None  # None: the same step size throughout
    batches: Batches | None = None
    augment: "Augment | None" = None  # of mini-batches
    decay_toward: str | None = None  # zero or start; its strength is numbers["weight_decay.strength"]


@dataclass
class _Stack:
    """The networks still in training; every tensor has them along its first dimension."""

    x: Tensor
    y: Tensor
    test: list[Tensor]  # points and targets, where a probe looks at them
    weights: list[Tensor]
    start: list[Tensor]  # the weights before the first step, where something asks for them
    state: list[Tensor]
    numbers: dict[str, Tensor]

    def keep(self, rows: Tensor) -> "_Stack":
        return replace(self, **{name: picked(value, rows) for name, value in vars(self).items()})

    def copies(self) -> list[Tensor]:
        """`copies` returns a copy of every tensor that a step changes: weights and optimizer state."""
        return [tensor.clone() for tensor in [*self.weights, *self.state]]

    def restore(self, copies: Sequence[Tensor]) -> None:
        for tensor, copy in zip([*self.weights, *self.state], copies, strict=True):
            tensor.copy_(copy)


@dataclass(frozen=True)
class _Gradients:
    """`_Gradients` holds the gradient at the present weights before it is computed, for the optimizer to add
    where it wants it: that needs no buffer and no further pass over the weights."""

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


class _Evaluated(NamedTuple):
    """`_Evaluated` is the result of one forward pass over points: predictions, loss and its slope."""

    f: Tensor
    tape: Any
    loss: Tensor
    slope: Tensor  # ∂L/∂f


def train(
    ensemble: Ensemble,
    weights: Sequence[Tensor],
    x: Tensor,
    y: Tensor,
    recipe: Recipe,
    rules: Rules,
    test: Sequence[Tensor] = (),
) -> Iterator[Finished]:
    """`train` minimizes the loss of every network of the stack and yields each network as it finishes.

    `weights` are trained in place; `test` are points and targets for the probes that look at them. Full-batch
    training checks the stop rules at every step; mini-batch training, where a check costs a pass over all
    points, checks them after every epoch and at recorded steps.

    Reading a loss makes the processor wait for a GPU. On a GPU several full-batch steps are therefore taken
    before the losses are read; where a network turns out to have ended among these steps, they are undone and
    taken again one by one, so that the results are the same.
    """
    batches = recipe.batches
    stack = _stack(ensemble, weights, x, y, recipe, rules, test)
    record = Record(rules, y)
    blind = steps_between_looks(y.device) if batches is None and rules.accuracy is None else 1
    step, open_eyes_until = 0, 0
    now: _Evaluated | None = None
    tape = None  # its memory is used again
    while True:
        wanted = record.wants(step)
        whole = batches is None or step in (0, rules.max_steps) or wanted
        if not whole and step % batches.per_epoch == 0:
            now = _look(ensemble, stack, recipe, record, step)
            whole = now is not None
        if whole:
            now = now or _evaluate(ensemble, stack, recipe, tape, training=batches is None)
            if step == 0:
                record.begin(now.loss, stack.y)
            if wanted:
                here = (stack.weights, stack.start, stack.x, stack.y, now.f, stack.test)
                state = State(ensemble, recipe.loss, *here)
                record.write(step, now.loss, state)
            record.say(step, now.loss)
            if ended := record.ended(step, now.loss, now.f, stack.y):
                for row, status in ended.items():
                    yield record.finished(row, status, step, now.loss, stack.weights, state=stack.state)
                going = [row for row in range(len(now.loss)) if row not in ended]
                if not going:
                    return
                rows = torch.tensor(going, device=y.device)
                stack = stack.keep(rows)
                record.keep(rows)
                if recipe.augment is not None:
                    recipe.augment.keep(going)
                if batches is None:
                    now = _evaluate(ensemble, stack, recipe, now.tape, training=True)
                else:
                    batches.keep(going)
            tape = now.tape
        if batches is not None:
            rows = batches.next(step, y.device)
            x, targets = rows_of(stack.x, rows), rows_of(stack.y, rows)
            x = x if recipe.augment is None else recipe.augment(x)
            now = _evaluate(ensemble, stack, recipe, tape, True, x, targets)
        looks_away = blind > 1 and step >= open_eyes_until
        ahead = min(blind, record.next_wanted(step) - step) if looks_away else 1
        if ahead > 1:
            now, nothing_happened = _take_blind_steps(ensemble, stack, recipe, record, now, step, ahead)
            if nothing_happened:
                step += ahead
                continue
            open_eyes_until = step + ahead
        _take_step(ensemble, stack, recipe, now, step)
        step, now, tape = step + 1, None, now.tape


def steps_between_looks(device: torch.device) -> int:
    """`steps_between_looks` returns how many full-batch steps are taken before their losses are read. On a
    GPU a longer interval spares waiting and costs a copy of the weights, and steps that are taken twice."""
    return 32 if device.type == "cuda" else 1


def _take_blind_steps(
    ensemble: Ensemble,
    stack: _Stack,
    recipe: Recipe,
    record: Record,
    now: _Evaluated,
    step: int,
    ahead: int,
) -> tuple[_Evaluated, bool]:
    """`_take_blind_steps` takes `ahead` steps and returns the forward pass behind them with True. Where a
    network reached a goal or diverged on the way, the function undoes the steps and returns the forward pass
    at the old weights with False."""
    before, losses = stack.copies(), []
    for each in range(step, step + ahead):
        _take_step(ensemble, stack, recipe, now, each)
        now = _evaluate(ensemble, stack, recipe, now.tape, training=True)
        losses.append(now.loss)
    if record.nothing_happens(torch.stack(losses[:-1])):  # the last one is looked at where it is recorded
        return now, True
    stack.restore(before)
    return _evaluate(ensemble, stack, recipe, now.tape, training=True), False


def _evaluate(
    ensemble: Ensemble,
    stack: _Stack,
    recipe: Recipe,
    tape: Any,
    training: bool,
    x: Tensor | None = None,
    y: Tensor | None = None,
) -> _Evaluated:
    """`_evaluate` returns the forward pass over all points, or over a batch x [E, b, d] with its targets y;
    the pass reuses the memory of an earlier `tape`."""
    x, y = stack.x if x is None else x, stack.y if y is None else y
    f, tape = ensemble.forward(stack.weights, x, tape, training=training)
    return _Evaluated(f, tape, *recipe.loss(f, y))


def _look(ensemble: Ensemble, stack: _Stack, recipe: Recipe, record: Record, step: int) -> _Evaluated | None:
    """`_look` returns the forward pass over all points, or None as soon as the points seen so far prove that
    every network goes on training.

    Losses are sums of terms ≥ 0, so a loss that is already above its goal stays above it whatever the other
    points add, and so does the number of wrongly classified points. Most looks then cost a few points only.
    """
    points = stack.x.shape[1]
    f = stack.y[:, :0]
    total, wrong = torch.zeros_like(stack.y[:, 0, 0]), 0
    size = FIRST_LOOK
    while (seen := f.shape[1]) < points:
        x, y = (each[:, seen : seen + size] for each in (stack.x, stack.y))
        part, _ = ensemble.forward(stack.weights, x)
        f = torch.cat([f, part], dim=1)
        total = total + recipe.loss(part, y)[0] * x.shape[1]
        wrong = wrong + (~right(part, y)).sum(1)
        if f.shape[1] < points and record.goes_on(total, wrong, f.shape[1], points):
            record.say(step, total / f.shape[1])
            return None
        size *= 2
    return _Evaluated(f, None, *recipe.loss(f, stack.y))


def _take_step(ensemble: Ensemble, stack: _Stack, recipe: Recipe, now: _Evaluated, step: int) -> None:
    numbers = stack.numbers
    if recipe.schedule is not None:
        numbers = numbers | {"lr": numbers["lr"] * recipe.schedule(numbers, step)}
    trained = [stack.weights[layer] for layer in ensemble.trained]
    strength = numbers.get("weight_decay.strength")
    # Not by whether there is a start: a probe may have asked for it.
    anchor = {None: None, "zero": [], "start": stack.start}[recipe.decay_toward]
    decoupled = anchor is not None and getattr(recipe.optimizer, "DECOUPLED", False)
    pulls = (
        [_from(stack.weights, anchor, layer) * (strength * numbers["lr"]) for layer in ensemble.trained]
        if decoupled
        else []
    )
    gradients = _Gradients(
        ensemble, stack.weights, None if decoupled else anchor, strength, now.tape, now.slope
    )
    recipe.optimizer.step(trained, stack.state, numbers, gradients.add, step + 1)
    for weight, pull in zip(trained, pulls, strict=False):
        weight.sub_(pull)


def _from(weights: Sequence[Tensor], anchor: Sequence[Tensor], layer: int) -> Tensor:
    """`_from` returns θ − anchor of one layer; an empty `anchor` stands for 0."""
    return weights[layer] - anchor[layer] if anchor else weights[layer]


def _stack(
    ensemble: Ensemble,
    weights: Sequence[Tensor],
    x: Tensor,
    y: Tensor,
    recipe: Recipe,
    rules: Rules,
    test: Sequence[Tensor],
) -> _Stack:
    looked_at = any(getattr(probe, "NEEDS_START", False) for probe in rules.probes.values())
    wants_start = recipe.decay_toward == "start" or looked_at
    return _Stack(
        x=x,
        y=y,
        test=list(test),
        weights=list(weights),
        start=[weight.clone() for weight in weights] if wants_start else [],
        state=recipe.optimizer.start([weights[layer] for layer in ensemble.trained]),
        # [E, 1, 1, 1]: broadcasts over copies and weights
        numbers={name: number.to(y).reshape(-1, 1, 1, 1) for name, number in recipe.numbers.items()},
    )
