"""Where the linearization of a network at its own start ends, instead of training it.

    f_lin(x; t→∞) = f₀(x) + Θ_x Θ⁻¹ (y − f₀(X))

the limit of gradient descent at every stable step size, of any schedule, of momentum, and of mini-batches in
any order (2011.02408).

Cross-entropy, exponential and logistic loss have no minimizer at finite distance. `linearized` is then the
point of gradient flow with the loss, or accuracy, at which the network's own training ends (`stop`): a point
of equal loss. Where no goal is set it is the point after as long a time, the sum of all learning rates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.marks import PredictorOfDescent

if TYPE_CHECKING:
    from minima.theory.linearization import Linearization, Predicted


class Linearized(PredictorOfDescent):
    """Limit of the linearized network under gradient descent."""


def predict(linearization: Linearization) -> Predicted:
    """`predict` returns f for u = JᵀΘ⁻¹e₀, the shortest way to the targets; under another loss the point of
    the flow at the training's goal, with the steps of the integrator."""
    return linearization.of_flow()
