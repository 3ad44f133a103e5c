"""ℓ1 and ℓ2 norm over paths, (Σ over paths of ∏|w|^p)^(1/p)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from minima.plan.marks import Probe

if TYPE_CHECKING:
    from torch import Tensor

    from minima.engine.state import State


class PathNorm(Probe):
    """ℓ1 and ℓ2 norm over paths."""

    dims = ("power",)


def measure(state: State) -> Tensor:
    """`measure` returns the norms for p = 1, 2 [E, 2]."""
    return of_weights(state.ensemble, state.weights)


def of_weights(ensemble: Any, weights: Sequence[Tensor]) -> Tensor:
    """`of_weights` returns the norms of networks whose training has ended."""
    return ensemble.path_norms(weights)
