"""Weight decay toward 0 in the limit of no strength: which minimizer a vanishing pull selects (2011.02408).

The linearized network f₀ + Ju with a penalty λ‖θ₀ + u‖²/2, trained until nothing moves, then λ → 0, ends at
the minimizer of least ‖θ₀ + u‖:

    u = JᵀΘ⁻¹(e₀ + Jθ₀) − θ₀.

Where the network is homogeneous in its H weight matrices (ReLU or linear, no biases, all trained),
Jθ₀ = H f₀ and f = f_int − (H − 1) f_init: the initialization's share is not removed but turned round and
multiplied. A pull toward θ₀ selects the least ‖u‖, which is gradient descent's own limit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.marks import Predictor

if TYPE_CHECKING:
    from minima.theory.linearization import Linearization, Predicted


class Decayed(Predictor):
    """Limit of the linearized network under weight decay toward 0, as its strength goes to 0."""

    on_parameters = True
    only_mse = "the pull selects among minimizers at finite distance"


def predict(linearization: Linearization) -> Predicted:
    """`predict` returns the minimizer of least ‖θ₀ + u‖, the limit λ → 0."""
    moved = -linearization.ensemble.vector(linearization.weights)
    dual = linearization.solve(linearization.kernel, linearization.error - linearization.rows.times(moved))
    return linearization.of_moved(moved + linearization.rows.transposed(dual))
