"""Where full-batch AdaGrad on the linearized network ends as its step shrinks (`minima.theory.flows`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.marks import PredictorOfFlow

if TYPE_CHECKING:
    from minima.theory.linearization import Linearization, Predicted


class AdagradFlow(PredictorOfFlow):
    """Limit of full-batch AdaGrad at small steps on the linearized network."""


def predict(linearization: Linearization) -> Predicted:
    """`predict` returns the end of AdaGrad's flow, which depends on the initialization alone, not on a step
    size or batches. `steps` are pieces of the flow."""
    from minima.theory.flows import Rule, limit_of_flow

    return limit_of_flow(linearization, Rule())
