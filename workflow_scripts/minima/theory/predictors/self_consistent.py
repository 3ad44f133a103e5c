"""The limit under the self-consistent preconditioner: AdaGrad's minimizer from the initialization, without a
flow (`minima.theory.fixed_point`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.marks import Predictor

if TYPE_CHECKING:
    from minima.theory.linearization import Linearization, Predicted

TOLERANCE = 1e-8


class SelfConsistent(Predictor):
    """Limit under the preconditioner that AdaGrad's flow makes of itself."""

    on_parameters = True
    only_mse = "only its flow has the integral of g² in closed form"


def predict(linearization: Linearization) -> Predicted:
    """`predict` returns the limit under the self-consistent D; NaN where the iteration did not settle.
    `steps` are iterations."""
    from minima.theory.fixed_point import self_consistent

    point = self_consistent(linearization.rows, linearization.error, TOLERANCE)
    return linearization.of_weights(point.weights, steps=point.iterations).where(point.change <= TOLERANCE)
