"""Where the network itself goes at the learning rate that its method has (`minima.theory.followed`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from minima.plan.marks import PredictorOfNetwork

if TYPE_CHECKING:
    from minima.theory.linearization import Linearization, Predicted


class NetworkAtStep(PredictorOfNetwork):
    """End of the cell's own method at its learning rate on the network."""

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        yield from super().impossible(cell)
        if "lr" not in cell["optimizer"]:
            yield f"predict: {self.called()} needs steps; {cell['optimizer']['name']} has network_flow alone"


def predict(linearization: Linearization) -> Predicted:
    """`predict` returns f where the training ends, of which strides of many steps take the place; of
    mini-batches, averaged."""
    from minima.theory.followed import network_of

    return network_of(linearization, discrete=True)
