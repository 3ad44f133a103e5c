"""The training loop: a stack of networks, trained together, each finishing on its own.

Networks never see each other: every operation acts on one slice of the stack, and one that has finished
leaves it. Shapes: E networks of K copies each; weights [E, K, out, in]; x [E, n, d]; y [E, n, outputs].
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from minima.engine.batches import Batches
from minima.engine.ensemble import Ensemble
from minima.engine.looks import Looks
from minima.engine.passes import BoundPasses, Evaluated, Loss, PlainPasses, passes_of
from minima.engine.record import Finished, Record, Rules
from minima.engine.stack import Stack, stacked
from minima.engine.state import State

if TYPE_CHECKING:
    from minima.engine.augment import Augment

Schedule = Callable[[Mapping[str, Tensor], int], Tensor]  # of minima.engine.schedules


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
    options: Mapping[str, Any] = field(default_factory=dict)  # of the optimizer, beside its numbers


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

    `weights` are where training starts; `test` are points and targets for the probes that look at them.
    Full-batch training checks the stop rules at every step; mini-batch training, where a check costs a pass
    over all points, checks them after every epoch and at recorded steps.

    Reading a loss makes the processor wait for a GPU. On a GPU several full-batch steps are therefore taken
    before the losses are read; where a network turns out to have ended among these steps, they are undone and
    taken again one by one, so that the results are the same.
    """
    # A recipe is drawn from as if for the first time, whoever else trains by it: predictors do too.
    recipe = replace(recipe, batches=deepcopy(recipe.batches), augment=deepcopy(recipe.augment))
    batches = recipe.batches
    stack = _stack(ensemble, weights, x, y, recipe, rules, test)
    passes = passes_of(ensemble, stack, recipe.loss, recipe.augment)
    record = Record(rules, y)
    looks = Looks(ensemble, recipe.loss, record, y)
    blind = steps_between_looks(y.device) if batches is None and rules.accuracy is None else 1
    step, open_eyes_until = 0, 0
    now: Evaluated | None = None
    while True:
        wanted = record.wants(step)
        whole = batches is None or step in (0, rules.max_steps) or wanted
        if not whole and step % batches.per_epoch == 0:
            now = looks(stack, step)
            whole = now is not None
        if whole:
            if now is None:
                now = passes.full() if batches is None else looks.whole(stack)
            if step == 0:
                record.begin(now.loss, stack.y)
            if wanted:
                here = (stack.weights, stack.split(stack.start), stack.x, stack.y, now.f, stack.test)
                record.write(step, now.loss, State(ensemble, recipe.loss, *here))
            record.say(step, now.loss)
            if ended := record.ended(step, now.loss, now.f, stack.y):
                for row, status in ended.items():
                    yield record.finished(row, status, step, now.loss, stack.weights, state=stack.state)
                going = [row for row in range(len(now.loss)) if row not in ended]
                if not going:
                    return
                rows = torch.tensor(going, device=y.device)
                stack = stack.keep(rows)  # and with it the gradient of this step
                now = now._replace(loss=now.loss[rows])
                record.keep(rows)
                looks.keep(rows)
                if recipe.augment is not None:
                    recipe.augment.keep(going)
                if batches is not None:
                    batches.keep(going)
                passes = passes_of(ensemble, stack, recipe.loss, recipe.augment)
        if batches is not None:
            now = passes.batch(batches.next(step, y.device))
        looks_away = blind > 1 and step >= open_eyes_until
        ahead = min(blind, record.next_wanted(step) - step) if looks_away else 1
        if ahead > 1:
            after = _take_blind_steps(stack, passes, recipe, record, step, ahead, now.loss)
            if after is not None:
                step, now = step + ahead, after
                continue
            open_eyes_until = step + ahead
        _take_step(stack, recipe, step, now.loss)
        step, now = step + 1, None


def steps_between_looks(device: torch.device) -> int:
    """`steps_between_looks` returns how many full-batch steps are taken before their losses are read. On a
    GPU a longer interval spares waiting and costs a copy of the weights, and steps that are taken twice."""
    return 32 if device.type == "cuda" else 1


def _take_blind_steps(
    stack: Stack,
    passes: PlainPasses | BoundPasses,
    recipe: Recipe,
    record: Record,
    step: int,
    ahead: int,
    loss: Tensor,
) -> Evaluated | None:
    """`_take_blind_steps` takes `ahead` steps from this loss and returns the pass behind them. Where a
    network reached a goal or diverged on the way, the function undoes the steps, so that weights and gradient
    are the old ones, and returns None."""
    before, losses = [*stack.copies(), stack.gradient.clone()], []
    for each in range(step, step + ahead):
        _take_step(stack, recipe, each, loss)
        now = passes.full()
        loss = now.loss
        losses.append(loss)
    if record.nothing_happens(torch.stack(losses[:-1])):  # the last one is looked at where it is recorded
        return now
    *old, gradient = before
    stack.restore(old)
    stack.gradient.copy_(gradient)
    return None


def _take_step(stack: Stack, recipe: Recipe, step: int, loss: Tensor) -> None:
    """`_take_step` moves the weights by the gradient that the stack holds, of networks of this loss [E]."""
    numbers, theta = stack.numbers, stack.theta
    if getattr(recipe.optimizer, "READS_LOSS", False):
        numbers = numbers | {"loss": loss.reshape(-1, 1, 1, 1)}
    if recipe.schedule is not None:
        numbers = numbers | {"lr": numbers["lr"] * recipe.schedule(numbers, step)}
    if recipe.decay_toward is None:
        recipe.optimizer.step(theta, stack.gradient, stack.state, numbers, step + 1)
        return
    pull = theta - stack.start if recipe.decay_toward == "start" else theta
    strength = numbers["weight_decay.strength"]
    if getattr(recipe.optimizer, "DECOUPLED", False):
        pull = pull * (strength * numbers["lr"])
        recipe.optimizer.step(theta, stack.gradient, stack.state, numbers, step + 1)
        theta.sub_(pull)
    else:
        stack.gradient.addcmul_(pull, strength)
        recipe.optimizer.step(theta, stack.gradient, stack.state, numbers, step + 1)


def _stack(
    ensemble: Ensemble,
    weights: Sequence[Tensor],
    x: Tensor,
    y: Tensor,
    recipe: Recipe,
    rules: Rules,
    test: Sequence[Tensor],
) -> Stack:
    looked_at = any(getattr(probe, "NEEDS_START", False) for probe in rules.probes.values())
    keeps_start = recipe.decay_toward == "start" or looked_at
    stack = stacked(ensemble.trained, weights, x, y, test, recipe.numbers, keeps_start)
    if by_layers := getattr(recipe.optimizer, "start_by_layers", None):
        stack.state = by_layers(stack.theta, [*stack.shapes.values()], recipe.options)
    else:
        stack.state = recipe.optimizer.start(stack.theta)
    return stack
