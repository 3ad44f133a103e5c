"""Rate at which gradient flow lowers the log of the loss, −L̇/L = ‖∂L/∂W‖²/L."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.marks import ProbeOfLayers

if TYPE_CHECKING:
    from torch import Tensor

    from minima.engine.state import State

SAME_IN = ("narrow",)


class Decay(ProbeOfLayers):
    """Rate at which gradient flow lowers the log of the loss."""

    units = "loss"


def measure(state: State) -> Tensor:
    """`measure` returns the rate [E], in units of 1/(learning rate × steps)."""
    loss, gradient = state.gradient(state.weights)
    return sum(part.square().flatten(1).sum(1) for part in gradient) / loss
