"""The linearized network trained as the network itself is: the prediction for the cell's own optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from minima.plan.marks import Predictor

if TYPE_CHECKING:
    from minima.theory.linearization import Linearization, Predicted


class LinearizedTrained(Predictor):
    """Linearized network, trained as the network itself."""

    trains = True
    on_parameters = True
    only_mse = ""

    def ends(self, cell: Mapping[str, Any]) -> bool:
        """`ends` returns True: without a goal the linearized network takes as many steps as the network."""
        return True


def predict(linearization: Linearization) -> Predicted:
    """`predict` returns where the linearized run ended; NaN where it did not converge within
    `linearized_run.max_steps`."""
    from minima.theory.linearized_run import run

    return linearization.once(run).predicted
