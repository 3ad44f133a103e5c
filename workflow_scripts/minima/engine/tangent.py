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


@dataclass(frozen=True)
class Jacobian:
    """J of E networks of K copies at n points, as its factors per layer."""

    ensemble: Ensemble
    hidden: list[Tensor]  # h_{l−1} [E·K, n, in]
    signals: list[Tensor]  # ∂f/∂a_l [E·K, n, outputs, out]

    def first(self, points: int) -> "Jacobian":
        """The rows of the first points."""
        return Jacobian(
            self.ensemble, [h[:, :points] for h in self.hidden], [s[:, :points] for s in self.signals]
        )

    def kernel(self, other: "Jacobian") -> Tensor:
        """JJ'ᵀ [E, n·outputs, n'·outputs], rows and columns ordered by point, then output."""
        kernel: Tensor | None = None
        for layer in self.ensemble.trained:
            hidden, columns = self.hidden[layer], other.hidden[layer]
            rows, signal = self.signals[layer], other.signals[layer]
            batch, points, outputs, _ = rows.shape
            inner = torch.baddbmm(
                hidden.new_empty(batch, points, columns.shape[1]),
                hidden,
                columns.mT,
                beta=0,
                alpha=self.ensemble.model.factors[layer] ** 2,
            )
            outer = rows.flatten(1, 2) @ signal.flatten(1, 2).mT
            # inner says the same for every pair of outputs
            term = outer.view(batch, points, outputs, -1, outputs).mul_(inner[:, :, None, :, None])
            kernel = term if kernel is None else kernel.add_(term)
        kernel = kernel.flatten(3, 4).flatten(1, 2)
        squares = torch.tensor(self.ensemble.readout, dtype=kernel.dtype, device=kernel.device).square()
        return torch.einsum("k,ekij->eij", squares, kernel.unflatten(0, (-1, len(squares))))

    def add_transposed(self, c: Tensor, into: Sequence[Tensor]) -> None:
        """into += Jᵀc for c [E, n, outputs]; `into` are weights [E, K, out, in] of all layers, of which the
        trained ones are changed."""
        readout = torch.tensor(self.ensemble.readout, dtype=c.dtype, device=c.device)
        each = torch.einsum("k,e...->ek...", readout, c).flatten(0, 1).unsqueeze(2)
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
