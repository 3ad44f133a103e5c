"""The training loop: a stack of networks, trained together, each finishing on its own.

Networks never see each other: every operation acts on one slice of the stack, and one that has finished
leaves it. Shapes: E networks of K copies each; weights [E, K, out, in]; x [E, n, d]; y [E, n, outputs].
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from minima.engine.augment import Augment
from minima.engine.batches import Batches, rows_of
from minima.engine.ensemble import Ensemble
from minima.engine.losses import Loss, mse
from minima.engine.probes import NEEDS_START, State
from minima.engine.record import Finished, Record, Rules, picked
from minima.engine.schedules import Schedule, constant


@dataclass(frozen=True)
class Recipe:
    """How to train: loss, optimizer and its hyperparameters per network, batches, weight decay."""

    optimizer: ModuleType
    numbers: Mapping[str, Tensor]
    loss: Loss = mse
    schedule: Schedule = constant
    batches: Batches | None = None
    augment: Augment | None = None  # of mini-batches
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
    ensemble: Ensemble,
    weights: Sequence[Tensor],
    x: Tensor,
    y: Tensor,
    recipe: Recipe,
    rules: Rules,
    test: Sequence[Tensor] = (),
) -> Iterator[Finished]:
    """Minimizes the loss of y − f(x), network by network; yields each as it finishes.

    `weights` are trained in place; `test` are points and targets for the probes that look at them. Full-batch
    training looks at the stop rules at every step, mini-batch training, where that costs a pass over all
    points, after every epoch and at recorded steps.
    """
    batches = recipe.batches
    stack = _stack(ensemble, weights, x, y, recipe, rules, test)
    record = Record(rules, y)
    tape = None
    for step in range(rules.max_steps + 1):
        wanted = record.wants(step)
        if batches is None or step % batches.per_epoch == 0 or wanted or step == rules.max_steps:
            f, tape = ensemble.forward(stack.weights, stack.x, tape, training=batches is None)
            loss, slope = recipe.loss(f, stack.y)
            if step == 0:
                record.begin(loss, stack.y)
            if wanted:
                here = (stack.weights, stack.start, stack.x, stack.y, f, stack.test)
                state = State(ensemble, recipe.loss, *here)
                record.write(step, loss, state)
            if ended := record.ended(step, loss, f, stack.y):
                for row, status in ended.items():
                    yield record.finished(row, status, step, loss, stack.weights, state=stack.state)
                if len(ended) == len(loss):
                    return
                going = [row for row in range(len(loss)) if row not in ended]
                rows = torch.tensor(going, device=y.device)
                stack = stack.keep(rows)
                record.keep(rows)
                if recipe.augment is not None:
                    recipe.augment.keep(going)
                if batches is not None:
                    batches.keep(going)
                else:
                    f, tape = ensemble.forward(stack.weights, stack.x, tape, training=True)
                    loss, slope = recipe.loss(f, stack.y)
            record.say(step, loss)
        if batches is not None:
            rows = batches.next(step, y.device)
            x = rows_of(stack.x, rows)
            x = x if recipe.augment is None else recipe.augment(x)
            f, tape = ensemble.forward(stack.weights, x, tape, training=True)
            _, slope = recipe.loss(f, rows_of(stack.y, rows))
        _take_step(ensemble, stack, recipe, tape, slope, step)


def _take_step(
    ensemble: Ensemble, stack: _Stack, recipe: Recipe, tape: Any, slope: Tensor, step: int
) -> None:
    numbers = stack.numbers | {"lr": stack.numbers["lr"] * recipe.schedule(stack.numbers, step)}
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
    gradients = _Gradients(ensemble, stack.weights, None if decoupled else anchor, strength, tape, slope)
    recipe.optimizer.step(trained, stack.state, numbers, gradients.add, step + 1)
    for weight, pull in zip(trained, pulls, strict=False):
        weight.sub_(pull)


def _from(weights: Sequence[Tensor], anchor: Sequence[Tensor], layer: int) -> Tensor:
    """A layer's weights as seen from the anchor of the decay, which is 0 where there is none."""
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
    wants_start = recipe.decay_toward == "start" or bool(NEEDS_START & set(rules.probes))
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
