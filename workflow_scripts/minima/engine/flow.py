"""Gradient flow dθ/dt = −∂L/∂θ of L = ‖y − f‖²/2N, by an exponential integrator with error control.

With e = y − f and a Jacobian J that does not change, Θ = JJᵀ, the flow is solved by

    e(h) = e^{−Θh/N} e,   θ(h) = θ + Jᵀ c,   c = Θ⁻¹(1 − e^{−Θh/N}) e.

A step takes J at its start (exponential Euler, first order), then J̄ between the start and the point so found
(`minima.engine.jacobians`), by the same formula (second order). As f(θ + u) − f(θ) = J̄u exactly,
e follows the formula up to the distance between the two points, ReLU's kinks included. A step counts where
the e's of both orders differ by at most tolerance · ‖e₀‖, else a shorter one is tried; the predictions at the
end are then wrong by about the tolerance, relatively (measured: tanh 0.1 to 0.3 times it, ReLU 0.7 to 4,
at σ = 0.5 up to 6). The last step is made to end at the stop rule.

Of torch modules J̄ is a quadrature, which does not see where a kink is: few units and a small kernel then want
a tolerance that is small beside the way that the error has to go.

Networks are integrated one by one, each with steps of its own; times are those of learning rate × steps.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from minima.engine.decompositions import eigh
from minima.engine.ensemble import Ensemble
from minima.engine.jacobians import Jacobian, Place, mean_jacobian, place
from minima.engine.losses import mse
from minima.engine.record import Finished, Record, Rules
from minima.engine.state import State

FIRST = 0.5  # first step in units of N/λmax
SAFETY = 0.9
SHRINK, GROW = 0.2, 3.0  # bounds of the change from step to step
LANDING = 0.99  # the last step aims at so much of the residual asked for
BISECTIONS = 60


@dataclass(frozen=True)
class _Linear:
    """The flow of e and c under a fixed Θ/N = V diag(rates) Vᵀ, in float64."""

    rates: Tensor
    basis: Tensor
    parts: Tensor  # Vᵀe
    points: int

    def error(self, time: float) -> Tensor:
        """e^{−Θt/N} e."""
        return self.basis @ (torch.exp(-self.rates * time) * self.parts)

    def force(self, time: float) -> Tensor:
        """c = Θ⁻¹(1 − e^{−Θt/N}) e; et/N where Θ is 0."""
        flat = self.rates * time < torch.finfo(self.rates.dtype).tiny
        means = torch.where(flat, time, -torch.expm1(-self.rates * time) / self.rates.where(~flat, 1))
        return self.basis @ (means * self.parts) / self.points

    def time_to(self, norm: float, longest: float) -> float:
        """When ‖e‖ falls to `norm`, or `longest` if that is sooner."""
        rates, squares = self.rates.cpu(), self.parts.square().cpu()
        low, high = 0.0, longest
        if float((squares * torch.exp(-2 * rates * high)).sum()) >= norm**2:
            return longest
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            above = float((squares * torch.exp(-2 * rates * middle)).sum()) > norm**2
            low, high = (middle, high) if above else (low, middle)
        return high


@dataclass
class _Point:
    """One network at one time; tensors have a leading dimension of 1."""

    weights: list[Tensor]
    place: Place
    error: Tensor  # y − f, flat, in float64

    @property
    def f(self) -> Tensor:
        return self.place.f


def train_flow(
    ensemble: Ensemble,
    weights: Sequence[Tensor],
    x: Tensor,
    y: Tensor,
    tolerance: Tensor,
    rules: Rules,
) -> Iterator[Finished]:
    """Follows the flow of y − f(x), network by network; yields each as it finishes. `steps` are the
    integrator's. `tolerance` [E] bounds the error of a step, relative to ‖e₀‖."""
    for row in range(len(y)):
        part = slice(row, row + 1)
        flow = _Flow(ensemble, x[part], y[part], float(tolerance[row]))
        alone = replace(rules, residual=rules.residual[part], loss=rules.loss[part])
        yield replace(flow.run([weight[part].clone() for weight in weights], alone), index=row)


@dataclass
class _Flow:
    """Of one network."""

    ensemble: Ensemble
    x: Tensor
    y: Tensor
    tolerance: float

    def run(self, start: list[Tensor], rules: Rules) -> Finished:
        """From its start to its end."""
        y, here, record = self.y, self.at(start), Record(rules, self.y)
        start_norm = float(here.error.norm())
        loss_norm = (2 * y.shape[1] * max(float(rules.loss), 0)) ** 0.5
        goal = max(float(rules.residual) * start_norm, loss_norm)
        time, step, trial = 0.0, 0, None
        while True:
            loss, _ = mse.loss(here.f, y)
            if step == 0:
                record.begin(loss, y)
            if record.wants(step):
                state = State(self.ensemble, mse.loss, here.weights, start, self.x, y, here.f)
                record.write(step, loss, state, time)
            ended = record.ended(step, loss)
            taken = None if ended else self.step(here, trial, goal, start_norm)
            if taken is None:  # it has ended or stands still
                return record.finished(0, ended.get(0, "stopped"), step, loss, here.weights, time)
            record.say(step, loss)
            here, passed, trial = taken
            time, step = time + passed, step + 1

    def step(
        self, here: _Point, trial: float | None, goal: float, start_norm: float
    ) -> tuple[_Point, float, float] | None:
        """The next point, the time it took and the time to try next; None where the flow stands still."""
        tangent = mean_jacobian(self.ensemble, here.place, here.place)
        first = self.linear(tangent, here.error)
        top, rounding = float(first.rates[-1]), torch.finfo(self.y.dtype).eps
        if float((first.rates * first.parts).norm()) <= rounding * top * float(here.error.norm()):
            return None
        longest = 1 / (torch.finfo(first.rates.dtype).eps * top)
        trial = FIRST / top if trial is None else trial
        growth = GROW
        while trial > rounding / top:
            length = first.time_to(LANDING * goal, trial)
            ahead = self.at(self.moved(here, tangent, first.force(length)))
            mean = mean_jacobian(self.ensemble, here.place, ahead.place)
            if ahead.error.isfinite().all():
                second = self.linear(mean, here.error)
                length = second.time_to(LANDING * goal, length)
                wrong = float((first.error(length) - second.error(length)).norm()) / start_norm
                change = SAFETY * (self.tolerance / max(wrong, 1e-300)) ** 0.5
                if wrong <= self.tolerance:
                    there = self.at(self.moved(here, mean, second.force(length)))
                    change = min(max(change, SHRINK), growth)
                    return there, length, min(length * change, longest)
            else:
                change = SHRINK
            trial, growth = length * min(max(change, SHRINK), SAFETY), 1.0
        return None

    def at(self, weights: list[Tensor]) -> _Point:
        found = place(self.ensemble, weights, self.x)
        return _Point(weights, found, (self.y - found.f).flatten().double())

    def linear(self, jacobian: Jacobian, error: Tensor) -> _Linear:
        points = self.y.shape[1]
        values, basis = eigh(jacobian.kernel()[0].double() / points)
        return _Linear(values.clamp(min=0), basis, basis.mT @ error, points)

    def moved(self, here: _Point, jacobian: Jacobian, force: Tensor) -> list[Tensor]:
        """θ + Jᵀc."""
        return self.ensemble.moved(here.weights, jacobian.transposed(force.to(self.y).view_as(self.y)))
