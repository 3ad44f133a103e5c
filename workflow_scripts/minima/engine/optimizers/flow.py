"""Gradient flow dθ/dt = −∂L/∂θ, integrated by `minima.engine.flow` in place of steps of the loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from minima.plan.optimizers import OptimizerBase
from minima.plan.options import VARIES

if TYPE_CHECKING:
    from torch import Tensor

    from minima.engine.ensemble import Ensemble
    from minima.engine.record import Finished, Rules

LINEAR = True


class Flow(OptimizerBase):
    """Gradient flow dθ/dt = −∂L/∂θ, where gradient descent goes as η → 0; loss: mse only."""

    ORDER: ClassVar[float] = 0.5  # of the tolerance: a step's error is of second order in its length

    tolerance: float = Field(
        1e-3,
        gt=0,
        lt=1,
        description="Error of a step on the training points, relative to ‖y − f₀‖; about the relative error "
        "of the predictions at the end.",
        json_schema_extra=VARIES,
    )

    @classmethod
    def clock(cls, options: Mapping[str, Any]) -> tuple[str, float]:
        return "tolerance", options["tolerance"] ** cls.ORDER

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        if (loss := cell["loss"]) != "mse":
            yield f"optimizer: flow integrates loss: mse, not {loss}"


def follow(
    ensemble: Ensemble,
    options: Sequence[Mapping[str, Any]],
    weights: Sequence[Tensor],
    x: Tensor,
    y: Tensor,
    rules: Rules,
) -> Iterator[Finished]:
    """`follow` trains a stack of networks, whose optimizer sections are `options`, and yields each as it
    finishes."""
    import torch

    from minima.engine.flow import train_flow

    tolerance = torch.tensor([own["tolerance"] for own in options], dtype=torch.float64)
    return train_flow(ensemble, weights, x, y, tolerance, rules)
