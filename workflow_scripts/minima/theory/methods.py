"""What steps of training do to gradients, in numbers: the optimizer of one network as theory follows it.

A step takes g = ∂L/∂θ, with what is remembered of the gradients before, over the root of what is kept of
their squares:

    a ← βa + γg,   S ← αS + (1 − α)g²  or  S + g²,   θ ← θ − ηD(δg + εa),   D = 1/(√S + ε₀), or 1.

Of mini-batches the mean is taken: that of a batch's gradient is g, that of its square has the noise of
`minima.engine.jacobians`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from minima.engine.core import Recipe

SAMPLES = 16  # of a schedule, within a stride


@dataclass(frozen=True)
class Squares:
    """`Squares` says what S keeps, and how D is made of it."""

    kept: float | None  # α; None where S only gathers
    corrected: bool  # whether S is divided by 1 − α^k
    beside: float  # ε₀
    noise: float  # of mini-batches, as in `Jacobian.squares`

    def after(self, squares: Tensor, gained: Tensor, steps: float, forgets: float) -> Tensor:
        """`after` returns S so many steps on, while each gains the same; `forgets` is −log α, in the limit of
        small steps 1 − α."""
        if self.kept is None:
            return squares + steps * gained
        left = torch.exp(torch.tensor(-forgets * steps, dtype=squares.dtype))
        return left * squares + (1 - left) * gained


@dataclass(frozen=True)
class Method:
    """`Method` holds the numbers of one network's steps; the defaults are those of gradient flow."""

    rate: Callable[[float], float] = lambda step: 1.0  # η at a step
    beta: float = 0.0  # what the memory a keeps
    mean: bool = False  # γ = 1 − β and ε = 1/(1 − β^k), else γ = 1
    ahead: bool = False  # Nesterov's δ = 1 and ε = β, else δ = 0 and ε = 1 (or of a mean)
    squares: Squares | None = None  # None where D = 1
    decay: float = 0.0  # λ of λ(θ − anchor)
    toward_start: bool = False  # the anchor; else 0
    decoupled: bool = False  # ηλ(θ − anchor) beside the step, else λ(θ − anchor) in the gradient

    def rates(self, step: float, steps: float) -> float:
        """`rates` returns the mean η of the next steps."""
        count = min(SAMPLES, max(1, int(steps)))
        return fmean(self.rate(step + steps * part / count) for part in range(count))


def method_of(recipe: Recipe | None, row: int) -> Method:
    """`method_of` returns the method by which one network of a recipe is trained; None is gradient flow."""
    if recipe is None:
        return Method()
    optimizer = recipe.optimizer
    numbers = {name: float(values[row]) for name, values in recipe.numbers.items()}
    name, form = optimizer.MEMORY or (None, "")
    return Method(
        _rate(recipe, numbers),
        beta=numbers[name] if name else 0.0,
        mean=form == "mean",
        ahead=form == "ahead",
        squares=_squares(recipe, numbers),
        decay=0.0 if recipe.decay_toward is None else numbers["weight_decay.strength"],
        toward_start=recipe.decay_toward == "start",
        decoupled=getattr(optimizer, "DECOUPLED", False),
    )


def _rate(recipe: Recipe, numbers: dict[str, float]) -> Callable[[float], float]:
    lr, schedule = numbers["lr"], recipe.schedule
    if schedule is None:
        return lambda step: lr
    own: dict[str, Any] = {name: torch.tensor(value) for name, value in numbers.items()}
    return lambda step: lr * float(schedule(own, int(step)))


def _squares(recipe: Recipe, numbers: dict[str, float]) -> Squares | None:
    declared = getattr(recipe.optimizer, "SQUARES", None)
    if declared is None:
        return None
    kept, corrected = declared
    return Squares(numbers[kept] if kept else None, corrected, numbers["epsilon"], noise_of(recipe))


def noise_of(recipe: Recipe) -> float:
    """`noise_of` returns the variance of a batch's mean gradient over that of one point's, ν, averaged over
    the batches of an epoch: without replacement the last one is smaller where the size does not divide the
    points."""
    batches = recipe.batches
    if batches is None:
        return 0.0
    points, size = batches.points, batches.size
    if batches.replacement:
        return 1 / size
    sizes = [min(size, points - begin) for begin in range(0, points, size)]
    return fmean((points - one) / (one * (points - 1)) for one in sizes) if points > 1 else 0.0
