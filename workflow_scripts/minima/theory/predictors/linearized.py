"""Where the linearization of a network at its own start ends, instead of training it.

    f_lin(x; t→∞) = f₀(x) + Θ_x Θ⁻¹ (y − f₀(X))

the limit of gradient descent at every stable step size, of any schedule, of momentum, and of mini-batches in
any order (2011.02408).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.marks import Predictor

if TYPE_CHECKING:
    from minima.theory.linearization import Linearization, Predicted


class Linearized(Predictor):
    """Limit of the linearized network under gradient descent."""


def predict(linearization: Linearization) -> Predicted:
    """`predict` returns f for u = JᵀΘ⁻¹e₀, the shortest way to the targets."""
    return linearization.of_dual(linearization.solve(linearization.kernel, linearization.error))
