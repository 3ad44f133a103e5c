"""Extreme eigenvalues of the tangent kernel of the training points."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.marks import ProbeOfPoints

if TYPE_CHECKING:
    from torch import Tensor

    from minima.engine.state import State


class KernelExtremes(ProbeOfPoints):
    """Least and largest eigenvalue of the tangent kernel."""

    dims = ("extreme",)


def measure(state: State) -> Tensor:
    """`measure` returns the smallest and the largest eigenvalue [E, 2]."""
    from minima.engine.decompositions import eigvalsh
    from minima.engine.jacobians import jacobian

    _, rows = jacobian(state.ensemble, state.weights, state.x)
    return eigvalsh(rows.kernel())[:, [0, -1]]
