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
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType

import torch
from torch import Tensor

from minima.engine.device import cache_bytes
from minima.engine.ensemble import Ensemble, flat
from minima.engine.products import matmul

FEW = 256  # points × outputs²: up to here columns of a kernel cost less than a pass through all parameters
BLOCK = 2**20  # entries of a kernel computed at once: what is not its own memory stays in cache


@dataclass(frozen=True)
class Part:
    """`Part` is one layer of one copy: `signals` hold r_k s_l ∂f/∂a_l, with a row per unit."""

    hidden: Tensor  # [E, n, in]
    signals: Tensor  # [E, o, out, n]
    columns: slice  # of the parameter vector

    def matrix(self, vector: Tensor) -> Tensor:
        """`matrix` returns the part's own entries of a vector [..., p], as [..., out, in]."""
        return vector[..., self.columns].unflatten(-1, (self.signals.shape[2], self.hidden.shape[2]))


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
                rows = signals[:, copy].permute(0, 2, 3, 1) * (readout * ensemble.model.factors[layer])
                size = rows.shape[2] * hidden.shape[3]
                parts.append(Part(hidden[:, copy], rows.contiguous(), slice(begin, begin + size)))
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
            moved = part.matrix(u) @ part.hidden.mT  # [E, out, n]
            term = (part.signals * moved.unsqueeze(1)).sum(2).mT
            total = term if total is None else total + term
        assert total is not None
        return total

    def transposed(self, c: Tensor) -> Tensor:
        """`transposed` returns Jᵀc [E, p] for c [E, n, o]."""
        return torch.cat([(self._pulled(part, c) @ part.hidden).flatten(1) for part in self.parts], dim=1)

    def along(self, other: "LayersJacobian", c: Tensor) -> Tensor:
        """`along` returns JJ'ᵀc [E, n, o], by the kernel where that is cheaper than vectors of parameters."""
        if c.shape[1] * c.shape[2] ** 2 > FEW:
            return self.times(other.transposed(c))
        return (self.kernel(other) @ c.flatten(1).unsqueeze(2)).view(len(c), -1, c.shape[2])

    def squares(self, errors: Tensor, noise: float = 0.0) -> Tensor:
        """`squares` returns Σ_q (Jᵀe_q)² [E, p], the noise of mini-batches included."""
        found = []
        for part in self.parts:
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
        of_layer = _of_one_output if self.parts[0].signals.shape[1] == 1 else _of_outputs
        terms = [of_layer(part, part.matrix(weights)) for part in self.parts]
        return torch.stack(terms).sum(0)

    def _pulled(self, part: Part, c: Tensor) -> Tensor:
        """Σ_a c_a ∂f_a/∂a_l, a row per unit: [E, (q,) out, n] for c [E, (q,) n, o]."""
        signals = part.signals if c.ndim == 3 else part.signals.unsqueeze(1)
        return (signals * c.mT.unsqueeze(-2)).sum(-3)


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
    before, hidden = [], [x.repeat_interleave(copies, dim=0)]
    for weight, factor in zip(own, model.factors, strict=True):
        before.append((hidden[-1] @ weight.mT).mul_(factor))
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
        weight = _mean(start.weights[layer], end.weights[layer])
        signal = (signals[-1].flatten(1, 2) @ weight).mul_(model.factors[layer])
        a, b = start.before[layer - 1], end.before[layer - 1]
        slope = _slope(model.phi, a, b, start.hidden[layer], end.hidden[layer])
        signals.append(signal.view(batch, points, outputs, -1) * slope.unsqueeze(2))
    return LayersJacobian(ensemble, hidden, signals[::-1])


def _mean(a: Tensor, b: Tensor) -> Tensor:
    return a if a is b else (a + b).mul_(0.5)


def _slope(phi: ModuleType, a: Tensor, b: Tensor, at_a: Tensor, at_b: Tensor) -> Tensor:
    """(φ(b) − φ(a))/(b − a); φ' half way where that would be all rounding."""
    middle = (a + b).mul_(0.5)
    phi.value(middle, torch.empty_like(middle))
    slope = phi.slope(middle)
    if a is b:
        return slope
    gap = b - a
    return torch.where(gap.abs() > torch.finfo(a.dtype).eps ** 0.5, (at_b - at_a).div_(gap), slope)


def _of_one_output(part: Part, d: Tensor) -> Tensor:
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


def _of_outputs(part: Part, d: Tensor) -> Tensor:
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
