"""Where the network itself goes as the step of its method shrinks (`minima.theory.followed`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.marks import PredictorOfNetwork

if TYPE_CHECKING:
    from minima.theory.linearization import Linearization, Predicted


class NetworkFlow(PredictorOfNetwork):
    """Limit of the cell's own method at small steps on the network."""


def predict(linearization: Linearization) -> Predicted:
    """`predict` returns f at the end of the network's own flow: gradient flow for descent with or without
    momentum; of adaptive methods their own, mini-batches averaged."""
    from minima.theory.followed import network_of

    return network_of(linearization, discrete=False)
