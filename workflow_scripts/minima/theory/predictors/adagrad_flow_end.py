"""The limit under the fixed preconditioner 1/√S∞ that the flow of full-batch AdaGrad has at its end
(`minima.theory.flows`): the formula of `preconditioned_end` without a run, and so without a step size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.marks import PredictorOfFlow

if TYPE_CHECKING:
    from minima.theory.linearization import Linearization, Predicted


class AdagradFlowEnd(PredictorOfFlow):
    """Limit under the fixed preconditioner at the end of AdaGrad's flow on the linearized network."""

    only_mse = "only there the flow's last stretch has a fixed preconditioner"


def predict(linearization: Linearization) -> Predicted:
    """`predict` returns the limit from θ₀ under the D that AdaGrad's flow has where its residual is 1e-3; NaN
    where it does not come so far. `steps` are pieces of the flow."""
    import torch

    from minima.theory.flows import LANDING, Rule, follow
    from minima.theory.losses import Goal

    objective, f = linearization.objective, linearization.f
    goal = Goal(objective, LANDING**2 * objective.value(f))
    end = follow(linearization.rows, f, Rule(), goal, linearization.growth)
    weights = torch.where(end.squares > 0, end.squares.rsqrt(), 0)
    return linearization.of_weights(weights, steps=end.pieces).where(end.met)
