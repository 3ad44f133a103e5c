"""Networks linearized at their start, f(x) = f₀(x) + j(x)u with u = θ − θ₀: what every predictor is given.

E networks at once, each for itself, in float64; the n training points come first, then the t test points;
o outputs; p parameters. e₀ = y − f₀(X) and Θ = JJᵀ, of the training points.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from minima.engine.core import Recipe
from minima.engine.ensemble import Ensemble
from minima.engine.jacobians import Jacobian, jacobian
from minima.engine.losses import mse
from minima.engine.margins import margins
from minima.engine.record import Rules
from minima.theory.descent import Descent, descend
from minima.theory.losses import Goal, Objective, goal_of
from minima.theory.solve import solve


@dataclass(frozen=True)
class Predicted:
    """`Predicted` holds one predictor's minimizers of E networks; NaN where a run did not reach its goal."""

    test: Tensor  # f on the test points [E, t, o]
    residual: Tensor  # √(L/L₀) at the end, under the squared error ‖e‖/‖e₀‖ [E]
    steps: Tensor  # steps or pieces it took, 0 for a closed form [E]
    length: Tensor  # ‖u‖ [E]
    along: Tensor  # its part in the row space of J at the start, ‖JᵀΘ⁻¹(e₀ − e)‖ [E]
    across: Tensor  # and the part at right angles to it [E]
    margin: Tensor  # least margin of f − f₀ on the training points over ‖u‖ [E]; NaN under the squared error
    error: Tensor  # the prediction's own estimate of its error over the norm of f [E]; NaN where it has none

    def where(self, good: Tensor) -> "Predicted":
        """`where` returns the same with NaN for the functions of networks that are not `good` [E]; residual
        and steps stay, to say how far their runs came."""
        return replace(self, test=torch.where(good[:, None, None], self.test, torch.nan))


@dataclass(frozen=True, eq=False)
class Linearization:
    """`Linearization` holds E networks at their start, and the recipe by which they are to be trained."""

    ensemble: Ensemble
    weights: Sequence[Tensor]  # θ₀ [E, K, out, in]
    x: Tensor  # [E, n + t, d]
    start: Tensor  # f₀ [E, n + t, o], 0 for centred networks
    targets: Tensor  # y [E, n, o]
    kernel: Tensor  # Θ [E, n·o, n·o], rows by point, then output
    recipe: Recipe | None = None  # of the training; None for gradient flow of the squared error
    rules: Rules | None = None  # when the training stops; losses without minimizer need them
    residual: float = 1e-4  # where the training of the linearized network stops
    max_steps: int = 100_000
    growth: Tensor | float = 1.3  # of the pieces of a flow; a number, or one per network
    tolerance: float = 0.005  # of the function to which a network itself is followed
    found: dict[Callable, Any] = field(default_factory=dict)

    def once(self, compute: Callable[["Linearization"], Any]) -> Any:
        """`once` returns compute(self), which is computed for the first predictor that asks."""
        if compute not in self.found:
            self.found[compute] = compute(self)
        return self.found[compute]

    @property
    def points(self) -> int:
        """`points` returns n."""
        return self.targets.shape[1]

    @property
    def f(self) -> Tensor:
        """`f` returns f₀ on the training points [E, n, o]."""
        return self.start[:, : self.points]

    @property
    def error(self) -> Tensor:
        """`error` returns e₀ = y − f₀ [E, n, o]."""
        return self.targets - self.f

    @property
    def objective(self) -> Objective:
        """`objective` returns what the networks are trained for."""
        return Objective(mse.loss if self.recipe is None else self.recipe.loss, self.targets)

    @property
    def goal(self) -> Goal:
        """`goal` returns where their trainings end, under a loss that has no minimizer at finite distance."""
        if self.rules is None:
            raise ValueError("under this loss a prediction needs the training's stop rules")
        return goal_of(self.rules, self.objective, self.f)

    @cached_property
    def _tangent(self) -> tuple[Tensor, Jacobian]:
        return jacobian(self.ensemble, self.weights, self.x)

    @property
    def at_start(self) -> Tensor:
        """`at_start` returns the network's own f at θ₀ [E, n + t, o]. It equals `start` except for centred
        networks, whose `start` is 0."""
        return self._tangent[0]

    @property
    def offset(self) -> Tensor:
        """`offset` returns what f is beside the network's own [E, n + t, o]: −f₀ for centred networks, which
        train f − f₀, else 0."""
        return self.start - self.at_start

    @property
    def all_rows(self) -> Jacobian:
        """`all_rows` returns J of the training points, then of the test points."""
        return self._tangent[1]

    @cached_property
    def rows(self) -> Jacobian:
        """`rows` returns J of the training points."""
        return self.all_rows.first(self.points)

    def solve(self, kernel: Tensor, right: Tensor) -> Tensor:
        """`solve` returns K⁻¹r [E, n, o] for K [E, n·o, n·o] and r [E, n, o], by `minima.theory.solve`."""
        pairs = zip(kernel.cpu().numpy(), right.flatten(1).cpu().numpy(), strict=True)
        solutions = [torch.as_tensor(solve(matrix, vector).x) for matrix, vector in pairs]
        return torch.stack(solutions).to(right).view_as(right)

    def of_dual(self, dual: Tensor, start: Tensor | None = None, steps: Tensor | float = 0.0) -> Predicted:
        """`of_dual` returns the prediction with u = Jᵀα for α [E, n, o], added to f₀ or to `start`
        [E, n + t, o]."""
        start = self.start if start is None else start
        moved = self.all_rows.along(self.rows, dual)
        length = (moved[:, : self.points] * dual).sum((1, 2)).clamp(min=0).sqrt()
        return self._predicted(start + moved, start, steps, length, length, torch.zeros_like(length))

    def of_flow(self, start: Tensor | None = None) -> Predicted:
        """`of_flow` returns where gradient flow from f₀ or from `start` [E, n + t, o] ends: under the squared
        error at its limit, else at the goal. `steps` are then those of the integrator."""
        start = self.start if start is None else start
        f = start[:, : self.points]
        if self.objective.squared:
            return self.of_dual(self.solve(self.kernel, self.targets - f), start)
        dual, steps, met = self.followed(self.kernel, f)
        return self.of_dual(dual, start, steps).where(met)

    def of_moved(self, u: Tensor, steps: Tensor | float = 0.0, f: Tensor | None = None) -> Predicted:
        """`of_moved` returns the prediction with u [E, p]. A given f [E, n + t, o] replaces that of the
        linearization, for predictors that follow the networks themselves."""
        f = self.start + self.all_rows.times(u) if f is None else f
        dual = self.solve(self.kernel, (f - self.start)[:, : self.points])
        along = self.rows.transposed(dual)
        return self._predicted(f, self.start, steps, *(part.norm(dim=1) for part in (u, along, u - along)))

    def of_weights(
        self, weights: Tensor, moved: Tensor | None = None, steps: Tensor | float = 0.0
    ) -> Predicted:
        """`of_weights` returns where the flow under D = diag(weights), weights [E, p], ends: under the
        squared error at its `limit`, else at the goal."""
        if self.objective.squared:
            return self.of_moved(self.limit(weights, moved), steps)
        dual, taken, met = self.followed(self.rows.weighted_kernel(weights), self.f)
        return self.of_moved(weights * self.rows.transposed(dual), steps + taken).where(met)

    def followed(self, kernel: Tensor, f: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`followed` follows the flow in function space under K [E, n·o, n·o] from f [E, n, o] on, to the
        goal or, of networks without one, for as long as their training lasts. It returns ∫e [E, n, o], the
        steps of the integrator and who came so far [E]."""
        goal = self.goal
        longest = torch.where(goal.open, self.time / self.points, torch.inf)
        path = descend(Descent(kernel, f, self.objective), longest, goal.met)
        return path.dual(path.time).view_as(f), path.steps, path.met | (path.time >= longest)

    @property
    def time(self) -> Tensor:
        """`time` returns how long the training by descent lasts at most, the sum of the learning rates of all
        steps [E]. Where the share μ of a step goes on in the next, each counts 1/(1 − μ) times."""
        numbers = {
            name: number.to(self.targets).reshape(-1, 1, 1, 1) for name, number in self.recipe.numbers.items()
        }
        steps = self.rules.max_steps
        if self.recipe.schedule is not None:
            steps = sum(self.recipe.schedule(numbers, step) for step in range(steps))
        goes_on = sum(numbers[name] for name in ("momentum", "beta1", "beta2") if name in numbers)
        return (steps * numbers["lr"] / (1 - goes_on)).flatten()

    def limit(self, weights: Tensor, moved: Tensor | None = None) -> Tensor:
        """`limit` returns u = u₁ + DJᵀ(JDJᵀ)⁻¹e₁ [E, p], the end of training under a fixed D = diag(weights),
        weights [E, p], from `moved` = u₁ (0 where omitted) with the error e₁ on."""
        error = self.error if moved is None else self.error - self.rows.times(moved)
        dual = self.solve(self.rows.weighted_kernel(weights), error)
        step = weights * self.rows.transposed(dual)
        return step if moved is None else moved + step

    def _predicted(
        self, f: Tensor, start: Tensor, steps: Tensor | float, length: Tensor, along: Tensor, across: Tensor
    ) -> Predicted:
        now, before = f[:, : self.points], start[:, : self.points]
        residual = self.objective.residual(now, before)
        steps = torch.as_tensor(steps).expand_as(residual)
        margin = torch.full_like(length, torch.nan)
        if not self.objective.squared:
            margin = margins(now - before, self.targets).flatten(1).amin(1) / length
        unknown = torch.full_like(length, torch.nan)
        return Predicted(f[:, self.points :], residual, steps, length, along, across, margin, unknown)
