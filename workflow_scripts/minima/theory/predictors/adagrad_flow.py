"""Where full-batch AdaGrad on the linearized network ends as its step shrinks (`minima.theory.flows`)."""

from minima.theory.flows import Rule, limit_of_flow
from minima.theory.linearization import Linearization, Predicted


def predict(linearization: Linearization) -> Predicted:
    """From the initialization alone: no step size, no batches. `steps` are pieces of the flow."""
    return limit_of_flow(linearization, Rule())
