"""The limit under the fixed preconditioner D_∞ that the optimizer has at the end of the linearized network's
training, 1/√S_∞ for AdaGrad (2011.02408): what can be said after the fact, not before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.marks import Predictor

if TYPE_CHECKING:
    from minima.theory.linearization import Linearization, Predicted


class PreconditionedEnd(Predictor):
    """Limit under the fixed preconditioner at the end of the linearized training."""

    trains = True
    on_parameters = True
    only_mse = ""


def predict(linearization: Linearization) -> Predicted:
    """`predict` returns the limit under D_∞, of losses without minimizer the flow at its goal; for optimizers
    that do not adapt that is the linearized limit. NaN where the run did not converge."""
    import torch

    from minima.theory.linearized_run import run

    done = linearization.once(run)
    weights = done.preconditioner
    if weights is None:
        weights = torch.ones(len(linearization.x), linearization.rows.parameters).to(linearization.x)
    found = linearization.of_weights(weights, steps=done.predicted.steps)
    return found.where(done.predicted.test.isfinite().all((1, 2)))
