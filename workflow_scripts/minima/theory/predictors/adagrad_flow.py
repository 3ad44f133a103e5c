"""Where full-batch AdaGrad on the linearized network ends as its step shrinks (`minima.theory.flows`)."""

from minima.theory.flows import Rule, limit_of_flow
from minima.theory.linearization import Linearization, Predicted

PIECES = True


def predict(linearization: Linearization) -> Predicted:
    """`predict` returns the end of AdaGrad's flow, which depends on the initialization alone, not on a step
    size or batches. `steps` are pieces of the flow."""
    return limit_of_flow(linearization, Rule())
