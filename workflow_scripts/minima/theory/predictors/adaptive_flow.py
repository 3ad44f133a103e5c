"""Where the cell's own method ends on the linearized network as its step shrinks, mini-batches averaged
(`minima.theory.flows`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.marks import PredictorOfOwnFlow

if TYPE_CHECKING:
    from minima.theory.linearization import Linearization, Predicted


class AdaptiveFlow(PredictorOfOwnFlow):
    """Limit of the cell's own method at small steps on the linearized network."""


def predict(linearization: Linearization) -> Predicted:
    """`predict` returns the end of the method's own flow; for methods that do not adapt that is the
    linearized limit. `steps` are pieces of the flow."""
    from minima.theory.flows import limit_of_flow, rule_of
    from minima.theory.predictors import linearized

    rule = rule_of(linearization.recipe)
    return linearized.predict(linearization) if rule is None else limit_of_flow(linearization, rule)
