"""Where a network itself goes, in strides: many steps of its training taken as one, by real gradients.

A stride holds J and D, as a step does. Under them the forces c of all its steps on the training points are
known (`minima.theory.modes`), and the weights move by

    θ ← θ + ηDJᵀΣ(δc + εp),   J at the start of the stride, Σ over its steps

and by what an older memory carries. Then f, J and S are those of the network again, so that what was wrong of
f is pulled back by the next stride. The kernel JDJᵀ only says how the modes of f relax, and is computed anew
where the steps taken have doubled: what it has wrong by then the next stride mends too.

A stride of one step is the step of training itself. Behind k steps strides are (growth − 1)·k long, so that
training is followed exactly as growth → 1, at its learning rate; the error is of first order in growth − 1.
Gradients at one place pass ReLU's kinks where they are. With mean Jacobians of whole strides, units that stay
at their kink, to which descent pushes them from both sides, are thrown off it: that left 1 % where this
leaves 0.3 %.

In the limit of small steps the same strides have a continuous length and no memory, and start at h·λmax =
growth − 1. Everything is of one network, tensors have a leading dimension of 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf, log

import torch
from torch import Tensor

from minima.engine.decompositions import eigvalsh
from minima.engine.ensemble import Ensemble
from minima.engine.jacobians import Jacobian, jacobian
from minima.theory.losses import Goal
from minima.theory.methods import Method
from minima.theory.modes import Memory, Modes, modes_of

ANEW = 2.0  # steps over those at the last kernel, from which a new one is computed
FORGOTTEN = 7.0  # strides last at most this share (times growth − 1) of the memory of S
WORSE = 2.0  # a stride that multiplies the loss by more is taken in halves
BENT = 0.3  # relative change of H from which the modes are computed anew
MOST = 5_000  # gradients
STILL, LONG = 1e-4, 8.0  # a way ends where the loss falls by less while the steps grow so many times
CLOSE = 0.01  # a relative difference of the loss from its goal that is none


@dataclass(frozen=True)
class Place:
    """`Place` is a network on its way, as strides need it."""

    moved: Tensor  # u = θ − θ₀ [1, p]
    f: Tensor  # on the training points [1, n, o]
    loss: float
    force: Tensor  # c = −∂L/∂f [1, n, o]
    jacobian: Jacobian
    pulled: Tensor  # Jᵀc, and the coupled decay [1, p]
    gained: Tensor  # the mean squared gradient of a batch [1, p]; of methods that keep none, `pulled`


@dataclass(frozen=True)
class Trip:
    """`Trip` is one network's way from its start to its goal."""

    ensemble: Ensemble
    weights: Sequence[Tensor]  # θ₀ [1, K, out, in]
    x: Tensor  # training points [1, n, d]
    offset: Tensor  # of f from the network's own [1, n, o]; −f₀ for centred networks
    goal: Goal
    method: Method
    discrete: bool  # at its learning rate; else in the limit of small steps
    last: float = inf  # steps

    def at(self, moved: Tensor) -> Place:
        """`at` returns the network with its weights moved by u."""
        f, rows = jacobian(self.ensemble, self.ensemble.moved(self.weights, moved), self.x)
        f = f + self.offset
        loss, slope = self.goal.objective.loss(f, self.goal.objective.targets)
        force, method = -slope, self.method
        pulled = descent = rows.transposed(force)
        if method.decay and not method.decoupled:
            pulled = descent - method.decay * self.from_anchor(moved)
        gained = pulled
        if method.squares is not None:
            gained = pulled.square()
            if noise := method.squares.noise:
                gained = rows.squares(force[:, None], noise) - descent.square() + gained
        return Place(moved, f, float(loss), force, rows, pulled, gained)

    def from_anchor(self, moved: Tensor) -> Tensor:
        """`from_anchor` returns θ − anchor [1, p]."""
        return moved if self.method.toward_start else self.ensemble.vector(self.weights) + moved

    @property
    def forgets(self) -> float:
        """`forgets` returns −log α, by which S forgets in a step, or its limit 1 − α."""
        squares = self.method.squares
        if squares is None or squares.kept is None:
            return 0.0
        return -log(squares.kept) if self.discrete else 1 - squares.kept

    def memory(self, step: float, steps: float) -> Memory:
        """`memory` returns the numbers of the steps to come."""
        method, beta = self.method, self.method.beta
        if not self.discrete:
            # Where steps are small, all that is remembered is at the same place.
            return Memory(epsilon=1.0 if method.mean else 1 / (1 - beta))
        if method.mean:
            return Memory(beta, 1 - beta, 0.0, 1 / (1 - beta ** (step + (steps + 1) / 2)))
        return Memory(beta, 1.0, 1.0, beta) if method.ahead else Memory(beta)

    def weights_of(self, rate: float, squares: Tensor, gained: Tensor, step: float, steps: float) -> Tensor:
        """`weights_of` returns ηD [1, p] of the steps to come, or [1, 1] where D = 1: over their length the
        mean of 1/√S for S that gains evenly, 2/(√S_begin + √S_end), also where S begins with 0."""
        how = self.method.squares
        if how is None:
            return torch.full_like(squares[:, :1], rate)

        def root(later: float) -> Tensor:
            found = how.after(squares, gained, later, self.forgets)
            if how.corrected:
                found = found / -torch.expm1(torch.tensor(-self.forgets * (step + later), dtype=found.dtype))
            return found.sqrt_()

        if self.discrete and steps == 1:
            mean = root(1.0)
        else:
            # The sum over steps 1 … K is the integral from ½ to K + ½.
            shift = 0.5 if self.discrete else 0.0
            end = root(steps + shift)
            mean = end if how.corrected and step + shift == 0 else root(shift).add_(end).mul_(0.5)
        return torch.where(mean > 0, rate / (mean + how.beside), 0)


@dataclass(frozen=True)
class End:
    """`End` is the point to which a network was followed."""

    moved: Tensor  # u [1, p]
    met: bool  # whether it is at its goal, or at the last step of a training that has none
    step: float  # of the training
    gradients: int  # evaluations of J that it took


def follow(trip: Trip, growth: float) -> End:
    """`follow` follows a network to its goal, or to its last step."""
    here = trip.at(torch.zeros_like(trip.ensemble.vector(trip.weights)))
    squares, remembered = torch.zeros_like(here.moved), torch.zeros_like(here.moved)
    least = 1.0 if trip.discrete else _first(trip, here, growth)
    step, shorter, gradients = 0.0, 1.0, 1
    modes, mark, before = _Modes(trip), max(least, LONG), here.loss
    while True:
        if bool(trip.goal.met(here.f)) or step >= trip.last:
            return End(here.moved, True, step, gradients)
        stands = not (trip.method.decay or bool(here.pulled.any() | remembered.any()))
        if step >= mark:
            stands = stands or here.loss > (1 - STILL) * before
            mark, before = LONG * step, here.loss
        if stands or gradients >= MOST or not bool(here.force.isfinite().all()):
            return End(here.moved, False, step, gradients)
        length = (growth - 1) * step * shorter
        if trip.forgets:
            length = min(length, FORGOTTEN * (growth - 1) / trip.forgets)
        length = min(max(least if shorter == 1 or trip.discrete else 0.0, length), trip.last - step)
        length = float(int(length)) if trip.discrete else length
        there, kept = _stride(trip, modes, here, squares, remembered, step, length)
        gradients += 1
        if (landing := _landing(trip, here, there, length)) < length:
            length = landing
            there, kept = _stride(trip, modes, here, squares, remembered, step, length)
            gradients += 1
        if there.loss > WORSE * here.loss and length > least and shorter > 1e-3:
            modes.forget()
            shorter /= 2
            continue
        shorter = min(1.0, 2 * shorter)
        if trip.method.squares is not None:
            squares = _gathered(trip, squares, here, there, length)
        here, remembered, step = there, kept, step + length


def _stride(
    trip: Trip,
    modes: "_Modes",
    here: Place,
    squares: Tensor,
    remembered: Tensor,
    step: float,
    length: float,
) -> tuple[Place, Tensor]:
    """The place behind so many steps, and the memory there."""
    rate, method = trip.method.rates(step, length), trip.method
    weights = trip.weights_of(rate, squares, here.gained, step, length)
    drift = None
    if method.decay:
        drift = (rate if method.decoupled else weights) * -method.decay * trip.from_anchor(here.moved)
    memory = trip.memory(step, length)
    if trip.discrete and length == 1:
        kept, all_steps = memory.counted(1.0)
        taken, kept = all_steps * here.force, kept * here.force
    else:
        now = modes.at(here, weights, rate, step)
        force = here.force.flatten()
        nothing = torch.zeros_like(force)
        carried = here.jacobian.times(weights * remembered).flatten() if memory.beta else nothing
        drifts = nothing if drift is None else here.jacobian.times(drift).flatten()
        found = now.impulse(force, memory, length, carried, drifts)
        taken, kept = found.taken.view_as(here.force), found.kept.view_as(here.force)
    moved = here.moved + weights * here.jacobian.transposed(taken)
    if drift is not None:
        moved = moved + length * drift
    if memory.beta:
        moved = moved + memory.carried(length) * weights * remembered
        remembered = memory.beta**length * remembered + here.jacobian.transposed(kept)
    return trip.at(moved), remembered


class _Modes:
    """The modes of the kernel computed last."""

    def __init__(self, trip: Trip) -> None:
        self.trip, self.now, self.step, self.rate = trip, None, 0.0, 0.0
        self.kernel: Tensor | None = None
        self.bend: Tensor | None = None

    def forget(self) -> None:
        """`forget` has the kernel computed anew."""
        self.kernel = None

    def at(self, here: Place, weights: Tensor, rate: float, step: float) -> Modes:
        """`at` returns the modes for the next stride."""
        objective = self.trip.goal.objective
        stale = self.kernel is None or step >= ANEW * self.step or rate != self.rate
        if stale:
            rows = here.jacobian
            self.kernel = (
                rows.kernel() * weights[:, :, None]
                if weights.shape[1] == 1
                else rows.weighted_kernel(weights)
            )[0]
            self.step, self.rate = step, rate
        if objective.squared:
            if stale:
                outputs = here.f.shape[2]
                bend = torch.eye(outputs).to(here.f).expand(here.f.shape[1], -1, -1) / here.f.shape[1]
                self.now = modes_of(self.kernel, bend, self.trip.discrete, True)
            return self.now
        bend = objective.bend(here.f)[0] / here.f.shape[1]
        if stale or bool((bend - self.bend).norm() > BENT * self.bend.norm()):
            self.bend = bend
            self.now = modes_of(self.kernel, bend, self.trip.discrete, False)
        return self.now


def _landing(trip: Trip, here: Place, there: Place, length: float) -> float:
    """The length at which a stride meets the loss that is its goal, between its ends as an exponential of the
    steps; the whole of it where it does not pass the goal by much."""
    before, after, goal = here.loss, there.loss, float(trip.goal.loss)
    if not 0 < after < (1 - CLOSE) * goal:
        return length
    part = length * max(CLOSE, log(before / goal) / log(before / after))
    return float(ceil(part)) if trip.discrete else part


def _gathered(trip: Trip, squares: Tensor, here: Place, there: Place, length: float) -> Tensor:
    """S behind a stride, from the gradients at its steps: all but the last end."""
    left = (1 + (1 / length if trip.discrete else 0.0)) / 2
    gained = left * here.gained + (1 - left) * there.gained
    return trip.method.squares.after(squares, gained, length, trip.forgets)


def _first(trip: Trip, here: Place, growth: float) -> float:
    """h with h·λmax = growth − 1 under the D(h) of a force that stays: near 0 D is a power of h. 0 where
    nothing moves."""
    nothing = torch.zeros_like(here.moved)
    bend = 1.0 if trip.goal.objective.squared else float(trip.goal.objective.bend(here.f).abs().amax())

    def fastest(length: float) -> float:
        weights = trip.weights_of(trip.method.rates(0.0, 1.0), nothing, here.gained, 0.0, length)
        kernel = here.jacobian.weighted_kernel(weights.expand_as(nothing))
        return float(eigvalsh(kernel)[0, -1]) * bend / here.f.shape[1]

    tiny = 1e-6
    once, twice = fastest(tiny), fastest(2 * tiny)
    if once <= 0:
        return 0.0
    power = log(twice / once) / log(2)
    return tiny * ((growth - 1) / (tiny * once)) ** (1 / (1 + power))
