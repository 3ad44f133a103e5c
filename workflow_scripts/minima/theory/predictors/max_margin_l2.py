"""Where the linearization of a network goes on to under gradient descent, as the loss falls to 0: the
direction of greatest margin in ℓ2 (`minima.theory.max_margin`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.marks import PredictorOfMargin

if TYPE_CHECKING:
    from minima.theory.linearization import Linearization, Predicted


class MaxMarginL2(PredictorOfMargin):
    """Linearized network of greatest margin over ‖θ − θ₀‖₂."""


def predict(linearization: Linearization) -> Predicted:
    """`predict` returns f₀ + s·j(x)u for the direction u of greatest margin, at the least s at which the loss
    is that at which training ends: a point of equal loss on the ray, not of a path. NaN where no u puts all
    training points in their classes."""
    from minima.theory.max_margin import least_norm, scale_to

    dual = least_norm(linearization.kernel, linearization.targets)
    moved = (linearization.kernel @ dual.flatten(1)[:, :, None]).view_as(dual)
    scale, met = scale_to(linearization.goal, linearization.f, moved)
    return linearization.of_dual(scale[:, None, None] * dual).where(met)
