"""Normalized margin: the least margin of a training point over the root mean square of f on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.marks import Probe

if TYPE_CHECKING:
    from torch import Tensor

    from minima.engine.state import State

SAME_IN = ("narrow", "gram")


class Margin(Probe):
    """Least margin of a training point (y f, or f_y − f_k) over the root mean square of f on all of them."""


def measure(state: State) -> Tensor:
    """`measure` returns the normalized margin [E]; below 0 where a point is in a wrong class."""
    from minima.engine.margins import margins

    return margins(state.f, state.y).flatten(1).amin(1) / state.f.square().mean((1, 2)).sqrt()
