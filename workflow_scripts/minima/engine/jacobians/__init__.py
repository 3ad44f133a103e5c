"""Products with the Jacobian J of networks' outputs in their trained parameters, of any kind of network.

Theory knows networks by J alone. Parameters are vectors [E, p], tensor by tensor and, within a tensor, copy
by copy: `torch.cat([weight.flatten(1) for weight in trained weights], dim=1)`. Rows of kernels are ordered by
point, then output. A network module (`minima.engine.networks`) names in `jacobians` who has its J: `layers`,
for stacks of fully connected nets, or `modules`, for any torch module.

E networks of K copies; weights [E, K, out, in] per tensor; n points x [E, n, d]; o outputs; p parameters.
"""

from collections.abc import Sequence
from typing import Any, Protocol, Self

from torch import Tensor

from minima.engine.ensemble import Ensemble


class Jacobian(Protocol):
    """`Jacobian` is J at n points, from which rows can be taken; no implementation need ever hold it."""

    @property
    def parameters(self) -> int:
        """`parameters` returns p."""

    def first(self, points: int) -> Self:
        """`first` returns the rows of the first points."""

    def times(self, u: Tensor) -> Tensor:
        """`times` returns Ju [E, n, o] for u [E, p]."""

    def transposed(self, c: Tensor) -> Tensor:
        """`transposed` returns Jᵀc [E, p] for c [E, n, o]."""

    def along(self, other: Self, c: Tensor) -> Tensor:
        """`along` returns JJ'ᵀc [E, n, o] for c [E, n', o]: how outputs move where parameters do as J'ᵀc."""

    def squares(self, errors: Tensor, noise: float = 0.0) -> Tensor:
        """`squares` returns Σ_q (Jᵀe_q)², coordinate by coordinate, [E, p] for errors [E, q, n, o].

        noise: of mini-batches. Their mean squared gradient is g² + noise·(N Σ_i (J_iᵀe_i)² − g²), with J_i
        the rows of point i, g = Jᵀe and noise = (N − B)/(B(N − 1)) for batches of B out of N points.
        """

    def kernel(self, other: Self | None = None) -> Tensor:
        """`kernel` returns JJ'ᵀ [E, n·o, n'·o]; J' may be that of other points and other weights, and is J
        where omitted."""

    def weighted_kernel(self, weights: Tensor) -> Tensor:
        """`weighted_kernel` returns JDJᵀ [E, n·o, n·o] for D = diag(weights), weights [E, p]."""


class Place(Protocol):
    """`Place` holds E networks at some weights, seen at n points."""

    f: Tensor  # [E, n, o]


def jacobian(ensemble: Ensemble, weights: Sequence[Tensor], x: Tensor) -> tuple[Tensor, Jacobian]:
    """`jacobian` returns f [E, n, o] and J at all points of x."""
    return ensemble.model.jacobians.jacobian(ensemble, weights, x)


def tangent_kernel(ensemble: Ensemble, weights: Sequence[Tensor], x: Tensor, columns: int) -> Tensor:
    """`tangent_kernel` returns Θ = JJᵀ between all points of x and the first `columns` of them,
    [E, n·o, columns·o]."""
    _, rows = jacobian(ensemble, weights, x)
    return rows.kernel() if columns == x.shape[1] else rows.kernel(rows.first(columns))


def place(ensemble: Ensemble, weights: Sequence[Tensor], x: Tensor) -> Place:
    """`place` returns the networks at these weights, with what `mean_jacobian` needs of them."""
    return ensemble.model.jacobians.place(ensemble, weights, x)


def mean_jacobian(ensemble: Ensemble, start: Any, end: Any) -> Jacobian:
    """`mean_jacobian` returns J̄ along the segment between two places, f(end) − f(start) = J̄(θ_end − θ_start):
    exactly for fully connected nets, and for modules up to the error of a quadrature. From a place to itself
    it is J there."""
    return ensemble.model.jacobians.mean_jacobian(ensemble, start, end)
