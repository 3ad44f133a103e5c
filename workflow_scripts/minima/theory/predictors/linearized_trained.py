"""The linearized network trained as the network itself is: the prediction for the cell's own optimizer."""

from minima.theory.linearization import Linearization, Predicted
from minima.theory.linearized_run import run

RUNS = True


def predict(linearization: Linearization) -> Predicted:
    """`predict` returns where the linearized run ended; NaN where it did not converge within
    `linearized_run.max_steps`."""
    return linearization.once(run).predicted
