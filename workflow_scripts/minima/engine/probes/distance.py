"""Distance of each weight matrix from its start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.marks import Probe

if TYPE_CHECKING:
    from torch import Tensor

    from minima.engine.state import State

NEEDS_START = True
SAME_IN = ("narrow",)


class Distance(Probe):
    """Distance of each weight matrix from its start."""

    dims = ("layer",)


def measure(state: State) -> Tensor:
    """`measure` returns the distances [E, layers]."""
    return state.norms([now - then for now, then in zip(state.weights, state.start, strict=True)])
