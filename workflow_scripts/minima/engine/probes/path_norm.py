"""ℓ1 and ℓ2 norm over paths, (Σ over paths of ∏|w|^p)^(1/p)."""

from torch import Tensor

from minima.engine.state import State


def measure(state: State) -> Tensor:
    """`measure` returns the norms for p = 1, 2 [E, 2]."""
    return state.ensemble.path_norms(state.weights)
