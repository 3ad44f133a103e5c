"""Products with the Jacobian J of a stack of nets, whose parameters are vectors: D, S, u are [E, p].

A column of J belongs to a weight W_l[i, j] of copy k of a trained layer l; at point x and output a it holds
r_k s_l (∂f_a(x)/∂a_l)_i h_{l−1}(x)_j (`minima.engine.tangent`). It is never formed:
everything takes the two factors in turn.

E networks, n points, o outputs; rows of kernels are ordered by point, then output.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from minima.engine.device import cache_bytes
from minima.engine.products import matmul
from minima.engine.tangent import Jacobian


@dataclass(frozen=True)
class _Part:
    """One layer of one copy: `signals` hold r_k s_l ∂f/∂a_l, with a row per unit."""

    hidden: Tensor  # [E, n, in]
    signals: Tensor  # [E, o, out, n]
    columns: slice  # of the parameter vector

    def matrix(self, vector: Tensor) -> Tensor:
        """`matrix` returns the part's own entries of a vector [..., p], as [..., out, in]."""
        return vector[..., self.columns].unflatten(-1, (self.signals.shape[2], self.hidden.shape[2]))


@dataclass(frozen=True)
class FlatJacobian:
    """J at n points."""

    factors: Jacobian

    @cached_property
    def _parts(self) -> list[_Part]:
        ensemble, begin, parts = self.factors.ensemble, 0, []
        for layer in ensemble.trained:
            # [E, K, n, in] and [E, K, n, o, out]
            hidden = self.factors.hidden[layer].unflatten(0, (-1, len(ensemble.readout)))
            signals = self.factors.signals[layer].unflatten(0, (-1, len(ensemble.readout)))
            for copy, readout in enumerate(ensemble.readout):
                rows = signals[:, copy].permute(0, 2, 3, 1) * (readout * ensemble.model.factors[layer])
                size = rows.shape[2] * hidden.shape[3]
                parts.append(_Part(hidden[:, copy], rows.contiguous(), slice(begin, begin + size)))
                begin += size
        return parts

    @property
    def parameters(self) -> int:
        """`parameters` returns p."""
        return self._parts[-1].columns.stop

    def first(self, points: int) -> "FlatJacobian":
        """`first` returns the rows of the first points."""
        return FlatJacobian(self.factors.first(points))

    def times(self, u: Tensor) -> Tensor:
        """`times` returns Ju [E, n, o]."""
        total: Tensor | None = None
        for part in self._parts:
            moved = part.matrix(u) @ part.hidden.mT  # [E, out, n]
            term = (part.signals * moved.unsqueeze(1)).sum(2).mT
            total = term if total is None else total + term
        assert total is not None
        return total

    def transposed(self, c: Tensor) -> Tensor:
        """`transposed` returns Jᵀc [E, p] for c [E, n, o]."""
        return torch.cat([(self._pulled(part, c) @ part.hidden).flatten(1) for part in self._parts], dim=1)

    def squares(self, errors: Tensor, noise: float = 0.0) -> Tensor:
        """`squares` returns Σ_q (Jᵀe_q)², coordinate by coordinate, [E, p] for errors [E, q, n, o].

        noise: of mini-batches. Their mean squared gradient is g² + noise·(N Σ_i (J_iᵀe_i)² − g²), with J_i
        the rows of point i, g = Jᵀe and noise = (N − B)/(B(N − 1)) for batches of B out of N points.
        """
        found = []
        for part in self._parts:
            pulled = self._pulled(part, errors)
            total = (pulled @ part.hidden.unsqueeze(1)).square_().sum(1)
            if noise:
                single = pulled.square().sum(1) @ part.hidden.square()
                total = total.mul_(1 - noise).add_(single, alpha=noise * errors.shape[2])
            found.append(total.flatten(1))
        return torch.cat(found, dim=1)

    def weighted_kernel(self, weights: Tensor) -> Tensor:
        """`weighted_kernel` returns JDJᵀ [E, n·o, n·o] for D = diag(weights), weights [E, p].

        Of one layer it is Σ_ij D_ij g_ai(x) h_j(x) g_bi(x') h_j(x'), with g the signals: a sum over one of i
        and j of what a matrix product makes of the other, and with several outputs a product that is not
        repeated for each pair of them.
        """
        of_layer = _of_one_output if self._parts[0].signals.shape[1] == 1 else _of_outputs
        terms = [of_layer(part, part.matrix(weights)) for part in self._parts]
        return torch.stack(terms).sum(0)

    def _pulled(self, part: _Part, c: Tensor) -> Tensor:
        """Σ_a c_a ∂f_a/∂a_l, a row per unit: [E, (q,) out, n] for c [E, (q,) n, o]."""
        signals = part.signals if c.ndim == 3 else part.signals.unsqueeze(1)
        return (signals * c.mT.unsqueeze(-2)).sum(-3)


def _of_one_output(part: _Part, d: Tensor) -> Tensor:
    """`_of_one_output` returns a layer's part [E, n, n] of JDJᵀ, summed over the units or the inputs,
    whichever are fewer, in blocks that fit the cache."""
    few, many = part.signals[:, 0], part.hidden.mT  # [E, …, n]
    if few.shape[1] > many.shape[1]:
        few, many, d = many, few, d.mT
    networks, size, points = many.shape
    total = d.new_zeros(networks, points, points)
    step = max(1, cache_bytes() // (2 * d.element_size() * networks * points * (size + points)))
    for begin in range(0, few.shape[1], step):
        own = few[:, begin : begin + step]
        left = d[:, begin : begin + step, None] * many.mT.unsqueeze(1)  # [E, block, n, …]
        inner = matmul(left.flatten(1, 2), many).unflatten(1, (-1, points))
        total += inner.mul_(own.unsqueeze(3)).mul_(own.unsqueeze(2)).sum(1)
    return total


def _of_outputs(part: _Part, d: Tensor) -> Tensor:
    """`_of_outputs` returns a layer's part [E, n·o, n·o] of JDJᵀ, point after point; the rest is symmetry."""
    networks, outputs, _, points = part.signals.shape
    kernel = d.new_zeros(networks, points, outputs, points, outputs)
    columns = part.signals.permute(0, 2, 3, 1).contiguous()  # [E, out, n, o]
    for x in range(points):
        inner = matmul(d * part.hidden[:, x : x + 1], part.hidden[:, x:].mT)  # [E, out, n − x]
        right = (inner.unsqueeze(3) * columns[:, :, x:]).flatten(2)
        kernel[:, x, :, x:] = matmul(part.signals[..., x], right).unflatten(2, (-1, outputs))
    flat = kernel.flatten(3).flatten(1, 2)
    return flat.triu() + flat.triu(1).mT
