"""Largest eigenvalue of the loss's Hessian over the trained layers (`minima.engine.sharpness`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.marks import ProbeOfPoints

if TYPE_CHECKING:
    from torch import Tensor

    from minima.engine.state import State


class Sharpness(ProbeOfPoints):
    """Largest eigenvalue of the loss's Hessian."""


def measure(state: State) -> Tensor:
    """`measure` returns the eigenvalue [E]."""
    from minima.engine.sharpness import sharpness

    return sharpness(state)
