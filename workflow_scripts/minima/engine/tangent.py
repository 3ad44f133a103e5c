"""The Jacobian J of a net's outputs in its trained weights, layer by layer, never forming it.

For a_l = s_l h_{l−1} W_lᵀ the Jacobian of output a at point x in W_l is s_l (∂f_a/∂a_l) h_{l−1}ᵀ, so

    Jᵀc = (s_l Σ_{x,a} c_a(x) (∂f_a(x)/∂a_l) h_{l−1}(x)ᵀ)_l
    (JJ'ᵀ)[(x, a), (x', b)] = Σ_l s_l² ⟨h_{l−1}(x), h'_{l−1}(x')⟩ ⟨∂f_a(x)/∂a_l, ∂f'_b(x')/∂a_l⟩

where a prime may stand for other points and for other weights; Θ = JJᵀ is the tangent kernel. The kernel
of f = Σ_k r_k f_k is Σ_k r_k² of the copies' kernels, as copies share no weight.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from minima.engine.ensemble import Ensemble, flat
from minima.engine.products import matmul

BLOCK = 2**20  # entries of a kernel computed at once: what is not its own memory stays in cache


@dataclass(frozen=True)
class Jacobian:
    """J of E networks of K copies at n points, as its factors per layer."""

    ensemble: Ensemble
    hidden: list[Tensor]  # h_{l−1} [E·K, n, in]
    signals: list[Tensor]  # ∂f/∂a_l [E·K, n, outputs, out]

    def first(self, points: int) -> "Jacobian":
        """The rows of the first points."""
        return self._rows(slice(points))

    def kernel(self, other: "Jacobian") -> Tensor:
        """JJ'ᵀ [E, n·outputs, n'·outputs], rows and columns ordered by point, then output."""
        _, rows, outputs, _ = self.signals[-1].shape
        columns, networks = other.signals[-1].shape[1], len(self.hidden[0]) // len(self.ensemble.readout)
        step = max(1, BLOCK // (networks * columns * outputs**2))
        if step >= rows:
            return self._kernel(other)
        found = self.hidden[0].new_empty(networks, rows * outputs, columns * outputs)
        for begin in range(0, rows, step):
            part = self._rows(slice(begin, begin + step))
            found[:, begin * outputs : (begin + step) * outputs] = part._kernel(other)
        return found

    def trace(self, other: "Jacobian") -> Tensor:
        """Σ_a JJ'ᵀ[(x, a), (x', a)]: [E, n, n']."""
        total: Tensor | None = None
        for layer in self.ensemble.trained:
            outer = matmul(self.signals[layer].flatten(2), other.signals[layer].flatten(2).mT)
            term = outer.mul_(self._inner(other, layer))
            total = term if total is None else total.add_(term)
        return self._read_out(total)

    def _kernel(self, other: "Jacobian") -> Tensor:
        """The kernel all at once."""
        batch, points, outputs, _ = self.signals[-1].shape
        total = self.hidden[0].new_zeros(batch, points, outputs, other.signals[-1].shape[1], outputs)
        for layer in self.ensemble.trained:
            inner = self._inner(other, layer)
            if layer == len(self.signals) - 1:  # ∂f_a/∂a_H is 1 for one output and 0 for the others
                total.diagonal(dim1=2, dim2=4).add_(inner.unsqueeze(-1))
                continue
            outer = matmul(self.signals[layer].flatten(1, 2), other.signals[layer].flatten(1, 2).mT)
            # inner says the same for every pair of outputs
            total.add_(outer.view_as(total).mul_(inner[:, :, None, :, None]))
        return self._read_out(total.flatten(3, 4).flatten(1, 2))

    def _inner(self, other: "Jacobian", layer: int) -> Tensor:
        """s_l² ⟨h_{l−1}(x), h'_{l−1}(x')⟩ [E·K, n, n']."""
        inner = matmul(self.hidden[layer], other.hidden[layer].mT)
        return inner.mul_(self.ensemble.model.factors[layer] ** 2)

    def _read_out(self, kernels: Tensor) -> Tensor:
        """The kernel of Σ_k r_k f_k [E, …] from those of its copies [E·K, …]."""
        if self.ensemble.readout == (1.0,):
            return kernels
        squares = self.ensemble.readout_like(kernels).square()
        return torch.einsum("k,ekij->eij", squares, kernels.unflatten(0, (-1, len(squares))))

    def _rows(self, points: slice) -> "Jacobian":
        """The rows of some points."""
        return Jacobian(
            self.ensemble, [h[:, points] for h in self.hidden], [s[:, points] for s in self.signals]
        )

    def add_transposed(self, c: Tensor, into: Sequence[Tensor]) -> None:
        """into += Jᵀc for c [E, n, outputs]; `into` are weights [E, K, out, in] of all layers, of which the
        trained ones are changed."""
        each = torch.einsum("k,e...->ek...", self.ensemble.readout_like(c), c).flatten(0, 1).unsqueeze(2)
        for layer in self.ensemble.trained:
            delta = (each @ self.signals[layer]).squeeze(2)  # [E·K, n, out]
            into[layer].flatten(0, 1).baddbmm_(
                delta.mT, self.hidden[layer], alpha=self.ensemble.model.factors[layer]
            )


def jacobian(ensemble: Ensemble, weights: Sequence[Tensor], x: Tensor) -> tuple[Tensor, Jacobian]:
    """f and J at all points of x [E, n, d]."""
    f, tape = ensemble.forward(weights, x)
    return f, Jacobian(ensemble, tape.hidden, ensemble.model.signals(flat(weights), tape))


def tangent_kernel(ensemble: Ensemble, weights: Sequence[Tensor], x: Tensor, columns: int) -> Tensor:
    """Θ between all points of x [E, n, d] and the first `columns` of them.

    Returns [E, n·outputs, columns·outputs], rows and columns ordered by point, then output.
    """
    _, rows = jacobian(ensemble, weights, x)
    return rows.kernel(rows.first(columns))


def tangent_trace(ensemble: Ensemble, weights: Sequence[Tensor], x: Tensor, columns: int) -> Tensor:
    """Σ_a Θ[(x, a), (x', a)] between all points of x [E, n, d] and the first `columns`: [E, n, columns]."""
    _, rows = jacobian(ensemble, weights, x)
    return rows.trace(rows.first(columns))
