"""The limit under the fixed preconditioner D₀ = 1/|g₀| of the first gradient (2011.02408).

f_∞(x) = f₀(x) + j(x) D Jᵀ (J D Jᵀ)⁻¹ e₀, and under a loss without minimizer the flow under D₀ at its goal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.marks import Predictor

if TYPE_CHECKING:
    from minima.theory.linearization import Linearization, Predicted


class PreconditionedStart(Predictor):
    """Limit under the fixed preconditioner 1/|g₀| of the start."""

    on_parameters = True
    only_mse = ""


def predict(linearization: Linearization) -> Predicted:
    """`predict` returns the limit under D₀, which is 0 for a parameter that the first gradient does not
    reach."""
    import torch

    gradient = linearization.rows.transposed(linearization.objective.pull(linearization.f)).abs()
    return linearization.of_weights(torch.where(gradient > 0, 1 / gradient, 0))
