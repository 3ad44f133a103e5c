"""The Jacobian J of stacked fully connected nets, layer by layer, never forming it.

For a_l = s_l h_{l−1} W_lᵀ the Jacobian of output a at point x in W_l is s_l (∂f_a/∂a_l) h_{l−1}ᵀ, so

    Jᵀc = (s_l Σ_{x,a} c_a(x) (∂f_a(x)/∂a_l) h_{l−1}(x)ᵀ)_l
    (JJ'ᵀ)[(x, a), (x', b)] = Σ_l s_l² ⟨h_{l−1}(x), h'_{l−1}(x')⟩ ⟨∂f_a(x)/∂a_l, ∂f'_b(x')/∂a_l⟩

where a prime may stand for other points and for other weights. A column of J belongs to a weight W_l[i, j] of
copy k and holds r_k s_l (∂f_a(x)/∂a_l)_i h_{l−1}(x)_j. The kernel of f = Σ_k r_k f_k is Σ_k r_k² of the
copies' kernels, as copies share no weight. Everything takes the two factors in turn.

Along the way from one set of weights to another the chain rule holds for differences: with Δ the difference
of both ends and a bar their mean,

    Δa_l = s_l (Δh_{l−1} W̄_lᵀ + h̄_{l−1} ΔW_lᵀ),   Δh_l = (Δφ(a_l)/Δa_l) ⊙ Δa_l

so that Δf = J̄ Δθ, exactly, with the J̄ of h̄, W̄ and the slopes Δφ/Δa.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import ModuleType

import torch
from torch import Tensor

from minima.engine.ensemble import Ensemble, flat
from minima.engine.jacobians import pairs
from minima.engine.products import matmul

FEW = 256  # points × outputs²: up to here columns of a kernel cost less than a pass through all parameters
BLOCK = 2**20  # entries of a kernel computed at once: what is not its own memory stays in cache


@dataclass(frozen=True)
class Part:
    """`Part` is one layer of one copy: the row of J at point x and output a is r_k s_l g_a(x) h(x)ᵀ."""

    hidden: Tensor  # h_{l−1} [E, n, in]
    signals: Tensor  # g = ∂f/∂a_l [E, n, o, out]
    factor: float  # r_k s_l
    columns: slice  # of the parameter vector

    def matrix(self, vector: Tensor) -> Tensor:
        """`matrix` returns the part's own entries of a vector [..., p], as [..., out, in]."""
        return vector[..., self.columns].unflatten(-1, (self.signals.shape[3], self.hidden.shape[2]))

    def pulled(self, c: Tensor) -> Tensor:
        """`pulled` returns r_k s_l Σ_a c_qa(x) g_a(x) [E, n, q, out] for c [E, q, n, o]."""
        c = (c * self.factor).transpose(1, 2).contiguous()
        return c * self.signals if c.shape[3] == 1 else matmul(c, self.signals)

    def weighted_kernel(self, d: Tensor) -> Tensor:
        """`weighted_kernel` returns the part's JDJᵀ [E, n·o, n·o] / (r_k s_l)² for D = d [E, out, in]."""
        if self.signals.shape[2] == 1:
            return pairs.of_one_output(self.signals[:, :, 0], self.hidden, d)
        each = zip(self.hidden.unsqueeze(2), self.signals.unsqueeze(3), d, strict=True)
        return torch.stack([pairs.of_outputs(*one) for one in each])

    def block(self, units: slice) -> "Part":
        """`block` returns the part in some units' weights, without its columns."""
        return replace(self, signals=self.signals[..., units], columns=slice(0))


@dataclass(frozen=True)
class LayersJacobian:
    """J of E networks of K copies at n points, as its factors per layer."""

    ensemble: Ensemble
    hidden: list[Tensor]  # h_{l−1} [E·K, n, in]
    signals: list[Tensor]  # ∂f/∂a_l [E·K, n, outputs, out]

    def first(self, points: int) -> "LayersJacobian":
        """`first` returns the rows of the first points."""
        return self._rows(slice(points))

    def kernel(self, other: "LayersJacobian | None" = None) -> Tensor:
        """`kernel` returns JJ'ᵀ [E, n·o, n'·o], in blocks of rows."""
        other = other or self
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

    def _kernel(self, other: "LayersJacobian") -> Tensor:
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

    def _inner(self, other: "LayersJacobian", layer: int) -> Tensor:
        """s_l² ⟨h_{l−1}(x), h'_{l−1}(x')⟩ [E·K, n, n']."""
        inner = matmul(self.hidden[layer], other.hidden[layer].mT)
        return inner.mul_(self.ensemble.model.factors[layer] ** 2)

    def _read_out(self, kernels: Tensor) -> Tensor:
        """The kernel of Σ_k r_k f_k [E, …] from those of its copies [E·K, …]."""
        if self.ensemble.readout == (1.0,):
            return kernels
        squares = self.ensemble.readout_like(kernels).square()
        return torch.einsum("k,ekij->eij", squares, kernels.unflatten(0, (-1, len(squares))))

    def _rows(self, points: slice) -> "LayersJacobian":
        """The rows of some points."""
        return LayersJacobian(
            self.ensemble, [h[:, points] for h in self.hidden], [s[:, points] for s in self.signals]
        )

    @cached_property
    def parts(self) -> list["Part"]:
        """`parts` returns the layers, copy by copy, in the order of the vectors."""
        ensemble, begin, parts = self.ensemble, 0, []
        for layer in ensemble.trained:
            # [E, K, n, in] and [E, K, n, o, out]
            hidden = self.hidden[layer].unflatten(0, (-1, len(ensemble.readout)))
            signals = self.signals[layer].unflatten(0, (-1, len(ensemble.readout)))
            for copy, readout in enumerate(ensemble.readout):
                size = signals.shape[4] * hidden.shape[3]
                factor, columns = readout * ensemble.model.factors[layer], slice(begin, begin + size)
                parts.append(Part(hidden[:, copy], signals[:, copy], factor, columns))
                begin += size
        return parts

    @property
    def parameters(self) -> int:
        """`parameters` returns p."""
        return self.parts[-1].columns.stop

    def times(self, u: Tensor) -> Tensor:
        """`times` returns Ju [E, n, o]."""
        total: Tensor | None = None
        for part in self.parts:
            moved = matmul(part.hidden, part.matrix(u).mT).mul_(part.factor)  # [E, n, out]
            term = (part.signals * moved.unsqueeze(2)).sum(3)
            total = term if total is None else total.add_(term)
        assert total is not None
        return total

    def transposed(self, c: Tensor) -> Tensor:
        """`transposed` returns Jᵀc [E, p] for c [E, n, o]."""
        found = c.new_empty(len(c), self.parameters)
        for part in self.parts:
            matmul(part.pulled(c.unsqueeze(1)).flatten(2).mT, part.hidden, out=part.matrix(found))
        return found

    def along(self, other: "LayersJacobian", c: Tensor) -> Tensor:
        """`along` returns JJ'ᵀc [E, n, o], by the kernel where that is cheaper than vectors of parameters."""
        if c.shape[1] * c.shape[2] ** 2 > FEW:
            return self.times(other.transposed(c))
        return (self.kernel(other) @ c.flatten(1).unsqueeze(2)).view(len(c), -1, c.shape[2])

    def squares(self, errors: Tensor, noise: float = 0.0) -> Tensor:
        """`squares` returns Σ_q (Jᵀe_q)² [E, p], the noise of mini-batches included."""
        networks, nodes, points, _ = errors.shape
        found = errors.new_empty(networks, self.parameters)
        for part in self.parts:
            total, inputs = part.matrix(found), part.hidden.shape[2]
            step = pairs.fitting(networks * nodes * inputs * errors.element_size())
            for begin in range(0, total.shape[1], step):
                units = slice(begin, begin + step)
                pulled, own = part.block(units).pulled(errors), total[:, units]
                gradients = matmul(pulled.flatten(2).mT, part.hidden).unflatten(1, (nodes, -1))
                torch.sum(gradients.square_(), 1, out=own)
                if noise:
                    single = matmul(pulled.square_().sum(2).mT, part.hidden.square())
                    own.mul_(1 - noise).add_(single, alpha=noise * points)
        return found

    def weighted_kernel(self, weights: Tensor) -> Tensor:
        """`weighted_kernel` returns JDJᵀ [E, n·o, n·o] for D = diag(weights), weights [E, p]."""
        total: Tensor | None = None
        for part in self.parts:
            term = part.weighted_kernel(part.matrix(weights)).mul_(part.factor**2)
            total = term if total is None else total.add_(term)
        assert total is not None
        return total


@dataclass(frozen=True)
class Activity:
    """`Activity` holds every layer's values in a forward pass of E networks of K copies."""

    f: Tensor  # [E, n, o]
    weights: list[Tensor]  # [E·K, out, in]
    before: list[Tensor]  # a_l, l = 1 … H−1: [E·K, n, m_l]
    hidden: list[Tensor]  # h_l, l = 0 … H−1


def jacobian(ensemble: Ensemble, weights: Sequence[Tensor], x: Tensor) -> tuple[Tensor, LayersJacobian]:
    """`jacobian` returns f and J at all points of x [E, n, d]."""
    f, tape = ensemble.forward(weights, x)
    return f, LayersJacobian(ensemble, tape.hidden, ensemble.model.signals(flat(weights), tape))


def place(ensemble: Ensemble, weights: Sequence[Tensor], x: Tensor) -> Activity:
    """`place` returns the networks at these weights, with all that `mean_jacobian` needs."""
    model, copies, own = ensemble.model, len(ensemble.readout), flat(weights)
    before, hidden = [], [x if copies == 1 else x.repeat_interleave(copies, dim=0)]
    for weight, factor in zip(own, model.factors, strict=True):
        before.append(matmul(hidden[-1], weight.mT).mul_(factor))
        if len(before) < len(own):
            a = before[-1].clone()
            hidden.append(model.phi.value(a, torch.empty_like(a)))
    each = before.pop().unflatten(0, (-1, copies))
    f = torch.einsum("k,ek...->e...", ensemble.readout_like(x), each)
    return Activity(f, own, before, hidden)


def mean_jacobian(ensemble: Ensemble, start: Activity, end: Activity) -> LayersJacobian:
    """`mean_jacobian` returns J̄ with f(end) − f(start) = J̄ (θ_end − θ_start), exactly.

    It has the means of h_l and of W_l at both ends, and (φ(b) − φ(a))/(b − a) in place of φ'. For ReLU that
    quotient is the part of the way that a unit is on: kinks are passed where they are.
    """
    model = ensemble.model
    hidden = [_mean(a, b) for a, b in zip(start.hidden, end.hidden, strict=True)]
    batch, points = hidden[0].shape[:2]
    outputs = model.sizes[-1]
    signal = torch.eye(outputs, dtype=hidden[0].dtype, device=hidden[0].device)
    signals = [signal.expand(batch, points, outputs, outputs)]
    for layer in reversed(range(1, len(start.weights))):
        a, b = start.before[layer - 1], end.before[layer - 1]
        slope = _slope(model.phi, a, b, start.hidden[layer], end.hidden[layer]).mul_(model.factors[layer])
        weight = _mean(start.weights[layer], end.weights[layer])
        if len(signals) == 1:
            signals.append(slope.unsqueeze(2) * weight.unsqueeze(1))
            continue
        signal = matmul(signals[-1].flatten(1, 2), weight).view(batch, points, outputs, -1)
        signals.append(signal.mul_(slope.unsqueeze(2)))
    return LayersJacobian(ensemble, hidden, signals[::-1])


def _mean(a: Tensor, b: Tensor) -> Tensor:
    return a if a is b else (a + b).mul_(0.5)


def _slope(phi: ModuleType, a: Tensor, b: Tensor, at_a: Tensor, at_b: Tensor) -> Tensor:
    """(φ(b) − φ(a))/(b − a); φ' half way where that would be all rounding."""
    if a is b:
        return phi.slope((a if phi.KEEPS_INPUT else at_a).clone())
    gap = b - a
    slope = (at_b - at_a).div_(gap)
    near = gap.abs_() <= torch.finfo(a.dtype).eps ** 0.5
    if near.any():
        middle = (a[near] + b[near]).mul_(0.5)
        phi.value(middle, torch.empty_like(middle))
        slope[near] = phi.slope(middle)
    return slope
