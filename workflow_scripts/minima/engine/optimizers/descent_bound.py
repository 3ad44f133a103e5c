"""Gradient descent of two linear layers by the steps that lower a bound on the loss most (Xu et al. 2023)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from minima.plan import parts
from minima.plan.linear_nets import not_linear_descent
from minima.plan.optimizers import Optimizer, Rate, above_one, below_one
from minima.plan.options import VARIES

if TYPE_CHECKING:
    from torch import Tensor


class DescentBound(Optimizer):
    """Gradient descent of two linear layers whose step lowers the bound of Xu et al. (2023) on the loss most:
    their Algorithm 1."""

    c1: float = below_one()
    c2: float = above_one()
    lr: Rate = Field(
        {"rate": "largest_descent"},
        validate_default=True,
        description="The largest step: ηmax, at these c1 and c2, or any other rate.",
        json_schema_extra=VARIES,
    )

    @model_validator(mode="before")
    @classmethod
    def _largest_of_its_own(cls, given: Any) -> Any:
        """`_largest_of_its_own` gives the rate of a bound the optimizer's own c1 and c2."""
        if not isinstance(given, dict):
            return given
        rate = given.get("lr", {"rate": "largest_descent"})
        if not isinstance(rate, dict) or rate.get("rate") not in ("largest_descent", "first_descent"):
            return given
        own = {name: given.get(name, cls.model_fields[name].default) for name in ("c1", "c2")}
        return given | {"lr": {**rate, **own}}

    @classmethod
    def clock(cls, options: Mapping[str, Any]) -> tuple[str, float]:
        return "of the bound", 1.0

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        yield from super().impossible(cell)
        yield from (f"optimizer: descent_bound {why}" for why in not_linear_descent(cell))
        if self.batch_size is not None:
            yield "optimizer.batch_size: descent_bound reads the loss of all points: leave it out"
        if self.weight_decay.strength:
            yield "optimizer.weight_decay: the bound of descent_bound is that of the loss alone"
        if trained := [name for name in cell["predict"] if parts.declaration("predictors", name).trains]:
            yield f"predict: {' and '.join(trained)} would take the steps of descent_bound by another loss"


LINEAR = True
READS_LOSS = True
FROM_START = "minima.theory.descent_starts"


def start(theta: Tensor) -> list[Tensor]:
    """`start` returns no state."""
    return []


def step(theta: Tensor, gradient: Tensor, state: list[Tensor], numbers: Mapping[str, Tensor], k: int) -> None:
    """`step` takes θ ← θ − min(η′, η) g, η′ the step at which the bound is least at the present loss."""
    from minima.engine.decay_bound import DecayBound

    bound = DecayBound(*(numbers[f"bound.{name}"] for name in DecayBound._fields))
    theta.addcmul_(gradient, bound.best_rate(numbers["loss"]).minimum(numbers["lr"]), value=-1)
