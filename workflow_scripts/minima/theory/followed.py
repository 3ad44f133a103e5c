"""Where networks themselves go, and how well that is known: strides (`minima.theory.strides`) that are halved
until the prediction stands.

The error of strides is of first order in growth − 1, with a part from ReLU's kinks that is as good as random.
Where growth − 1 is halved, the prediction moves by the error that it then has in the first case, and by √5
times that in the second. Half way between the two, a prediction's `error` is its last move over 1.5: that is
what `tolerance` bounds.
"""

from dataclasses import replace
from math import inf

import torch
from torch import Tensor

from minima.theory.linearization import Linearization, Predicted
from minima.theory.losses import Goal
from minima.theory.methods import Method, method_of
from minima.theory.strides import End, Trip, follow

RESIDUAL = 1e-3  # to which the squared error of a training without a goal is followed
MOVE = 1.5  # of a prediction over its error
GROWTHS = tuple(1 + 0.14 / 2**halvings for halvings in range(6))


def network_of(linearization: Linearization, discrete: bool) -> Predicted:
    """`network_of` returns where the networks themselves go by the method of their recipe: at its learning
    rate where `discrete`, else in the limit of small steps. `steps` are places at which the network was
    evaluated under the last growth; NaN where a network did not come to its goal."""
    rows = range(len(linearization.x))
    ends, seen, errors = zip(*(_settled(linearization, row, discrete) for row in rows), strict=True)
    moved = torch.cat([end.moved for end in ends])
    gradients = torch.tensor([float(end.gradients) for end in ends]).to(moved)
    met = torch.tensor([end.met for end in ends], device=moved.device)
    found = linearization.of_moved(torch.where(met[:, None], moved, 0), gradients, torch.cat(seen))
    return replace(found, error=torch.tensor(errors).to(moved)).where(met)


def trip_of(linearization: Linearization, row: int, discrete: bool) -> Trip:
    """`trip_of` returns one network's way."""
    own, points = slice(row, row + 1), linearization.points
    method = method_of(linearization.recipe, row)
    goal, last = _goal(linearization, own, method)
    return Trip(
        linearization.ensemble,
        [weight[own] for weight in linearization.weights],
        linearization.x[own, :points],
        linearization.offset[own, :points],
        goal,
        method,
        discrete,
        last,
    )


def _goal(linearization: Linearization, own: slice, method: Method) -> tuple[Goal, float]:
    """Where a network's training ends, and its last step. Descent of the squared error without a goal is
    followed to a residual of its own, however long that takes."""
    objective = linearization.objective.of(own)
    last, goal = inf, Goal(objective, torch.full_like(linearization.targets[own, 0, 0], -1.0))
    if linearization.rules is not None:
        last = float(linearization.rules.max_steps)
        goal = linearization.goal
        goal = Goal(objective, goal.loss[own], None if goal.accuracy is None else goal.accuracy[own])
    if not objective.squared or method.decay:
        return goal, last
    if bool(goal.open):
        goal = Goal(objective, RESIDUAL**2 * objective.value(linearization.f[own]))
    return goal, inf


def _settled(linearization: Linearization, row: int, discrete: bool) -> tuple[End, Tensor, float]:
    """One network's end under the first growth with the error asked for, its f at all points, and that
    error; under the last of the growths where none has it."""
    trip, own = trip_of(linearization, row, discrete), slice(row, row + 1)
    end, f, error = None, None, inf
    for growth in GROWTHS:
        end = follow(trip, growth)
        last, f = f, _seen(linearization, end.moved, own)
        if not end.met:
            return end, f, inf
        if last is not None:
            now, before = f[:, linearization.points :], last[:, linearization.points :]
            error = float((now - before).norm() / now.norm()) / MOVE
            if error <= linearization.tolerance:
                break
    return end, f, error


def _seen(linearization: Linearization, moved: Tensor, own: slice) -> Tensor:
    """f at all points [1, n + t, o] of a network whose weights have moved."""
    weights = linearization.ensemble.moved([weight[own] for weight in linearization.weights], moved)
    f, _ = linearization.ensemble.forward(weights, linearization.x[own])
    return f + linearization.offset[own]
