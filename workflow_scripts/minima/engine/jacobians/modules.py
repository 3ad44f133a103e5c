"""The Jacobian J of any torch module, network by network.

Ju and Jᵀc are one forward and one backward derivative (jvp, vjp). Products of rows are taken in parts, tensor
by tensor (`minima.engine.jacobians.parts`), of as many points as fit the budget (`minima.engine.budget`);
parts and rows of J are kept where they fit it: memory never grows with outputs × points × parameters.

The mean Jacobian between two places is taken at Gauss–Legendre nodes of the segment: J̄ = Σ_q w_q J(θ_q).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import jvp

from minima.engine import budget
from minima.engine.ensemble import Ensemble, split
from minima.engine.foreign import plain_attention
from minima.engine.jacobians.parts import Part, parts_of, product_of, rows_of, symmetric_product

NODES = 2  # of the segment between two places
AT_ONCE = 500  # points of a derivative in one direction
# How many numbers the parts of J at one point are, of modules that have been asked.
_PARTS: WeakKeyDictionary[nn.Module, dict[tuple[Ensemble, int], int]] = WeakKeyDictionary()


class Node(NamedTuple):
    """`Node` is a share of a mean Jacobian: its weight, and the parameters [K, out, in] where it is taken."""

    share: float
    weights: list[Tensor]


@dataclass(frozen=True)
class ModulesJacobian:
    """`ModulesJacobian` holds J of E networks, one after the other."""

    each: list["_One"]

    @property
    def parameters(self) -> int:
        return self.each[0].parameters

    @property
    def ensemble(self) -> Ensemble:
        """`ensemble` returns what the networks are."""
        return self.each[0].ensemble

    @property
    def x(self) -> Tensor:
        """`x` returns the points [E, n, d]."""
        return torch.stack([one.x for one in self.each])

    @cached_property
    def formed(self) -> Tensor | None:
        """`formed` returns J [E, n, o, p], where all networks' fit the budget."""
        if len(self.each) * self.each[0].size > budget.numbers(self.x.itemsize) // 2:
            return None
        return torch.stack([one.formed for one in self.each]).unflatten(1, (len(self.each[0].x), -1))

    def at(self, x: Tensor) -> "ModulesJacobian":
        """`at` returns J at other points [E, n, d]."""
        return ModulesJacobian([replace(one, x=own) for one, own in zip(self.each, x, strict=True)])

    def first(self, points: int) -> "ModulesJacobian":
        """`first` returns the rows of the first points."""
        return ModulesJacobian([one.first(points) for one in self.each])

    def times(self, u: Tensor) -> Tensor:
        """`times` returns Ju [E, n, o]."""
        return torch.stack([one.times(own) for one, own in zip(self.each, u, strict=True)])

    def transposed(self, c: Tensor) -> Tensor:
        """`transposed` returns Jᵀc [E, p]."""
        return torch.stack([one.transposed(own) for one, own in zip(self.each, c, strict=True)])

    def along(self, other: "ModulesJacobian", c: Tensor) -> Tensor:
        """`along` returns JJ'ᵀc [E, n, o]."""
        return self.times(other.transposed(c))

    def squares(self, errors: Tensor, noise: float = 0.0) -> Tensor:
        """`squares` returns Σ_q (Jᵀe_q)² [E, p], the noise of mini-batches included."""
        return torch.stack([one.squares(own, noise) for one, own in zip(self.each, errors, strict=True)])

    def kernel(self, other: "ModulesJacobian | None" = None) -> Tensor:
        """`kernel` returns JJ'ᵀ [E, n·o, n'·o]."""
        others = [None] * len(self.each) if other is None else other.each
        return torch.stack([one.kernel(own) for one, own in zip(self.each, others, strict=True)])

    def weighted_kernel(self, weights: Tensor) -> Tensor:
        """`weighted_kernel` returns JDJᵀ [E, n·o, n·o]."""
        return torch.stack([one.kernel(None, own) for one, own in zip(self.each, weights, strict=True)])


@dataclass(frozen=True, eq=False)
class Evaluated:
    """`Evaluated` holds E modules at some weights, evaluated at x."""

    f: Tensor  # [E, n, o]
    weights: list[Tensor]  # [E, K, out, in]
    x: Tensor  # [E, n, d]


def jacobian(ensemble: Ensemble, weights: Sequence[Tensor], x: Tensor) -> tuple[Tensor, ModulesJacobian]:
    """`jacobian` returns f and J at all points of x [E, n, d]."""
    here = place(ensemble, weights, x)
    return here.f, mean_jacobian(ensemble, here, here)


def place(ensemble: Ensemble, weights: Sequence[Tensor], x: Tensor) -> Evaluated:
    """`place` returns the networks at these weights."""
    return Evaluated(ensemble.forward(weights, x)[0], list(weights), x)


def mean_jacobian(ensemble: Ensemble, start: Evaluated, end: Evaluated) -> ModulesJacobian:
    """`mean_jacobian` returns J̄ = Σ_q w_q J(θ_q) along the segment from start to end; from the start to
    itself it is J."""
    at = [(1.0, 0.0)]
    if start is not end:
        places, shares = np.polynomial.legendre.leggauss(NODES)
        at = list(zip((shares / 2).tolist(), ((1 + places) / 2).tolist(), strict=True))

    def node(share: float, part: float, network: int) -> Node:
        ends = zip(start.weights, end.weights, strict=True)
        return Node(
            share, [(1 - part) * a[network] + part * b[network] if part else a[network] for a, b in ends]
        )

    return ModulesJacobian(
        [_One(ensemble, [node(*one, e) for one in at], start.x[e]) for e in range(len(start.x))]
    )


@dataclass(frozen=True, eq=False)
class _One:
    """`_One` holds J = Σ_q w_q J(θ_q) of one network of K copies at points x [n, d]."""

    ensemble: Ensemble
    nodes: list[Node]
    x: Tensor

    @property
    def parameters(self) -> int:
        return sum(self._size(tensor) for tensor in self.ensemble.trained)

    def first(self, points: int) -> "_One":
        found = replace(self, x=self.x[:points])
        if "formed" in vars(self):
            vars(found)["formed"] = self.formed[: points * (len(self.formed) // len(self.x))]
        return found

    def times(self, u: Tensor) -> Tensor:
        """Ju [n, o]."""
        if "formed" in vars(self):
            return (self.formed @ u).view(len(self.x), -1)
        directions = self._split(u)

        def moved(node: Node, x: Tensor) -> Tensor:
            trained = [node.weights[tensor] for tensor in self.ensemble.trained]
            with plain_attention():
                return _moved(lambda *own: self._f(node, own, x), trained, directions)

        parts = [sum(node.share * moved(node, x) for node in self.nodes) for x in self.x.split(AT_ONCE)]
        return torch.cat(parts).detach()

    def transposed(self, c: Tensor) -> Tensor:
        """Jᵀc [p]."""
        if "formed" in vars(self):
            return self.formed.mT @ c.flatten()
        if "whole" in vars(self):
            return torch.cat([part.pulled(c) for part in self.whole])
        total = 0
        for node in self.nodes:
            own = [node.weights[tensor].detach().requires_grad_() for tensor in self.ensemble.trained]
            for x, slope in zip(self.x.split(AT_ONCE), c.split(AT_ONCE), strict=True):
                with torch.enable_grad():
                    f = self._f(node, own, x)
                found = torch.autograd.grad(f, own, slope, materialize_grads=True)
                total = total + node.share * torch.cat([part.flatten() for part in found])
        return total

    def squares(self, errors: Tensor, noise: float) -> Tensor:
        """Σ_q (Jᵀe_q)² [p] for errors [q, n, o]."""
        if len(self._chunks) == 1:
            return torch.cat([_squares(part, errors, noise) for part in self.whole])
        pulled, single = 0, 0
        for points, rows in self._rows():
            own = errors[:, points]
            pulled = pulled + own.flatten(1) @ rows
            if noise:
                each = rows.unflatten(0, own.shape[1:])  # [n, o, p]
                single = single + sum((own[:, i] @ each[i]).square_().sum(0) for i in range(len(each)))
        return (1 - noise if noise else 1) * pulled.square_().sum(0) + noise * errors.shape[1] * single

    def kernel(self, other: "_One | None" = None, weights: Tensor | None = None) -> Tensor:
        """JDJ'ᵀ [n·o, n'·o]; D = diag(weights) is the identity where omitted."""
        if weights is not None and len(self._chunks) == 1:
            return self._product(self.whole, self.whole, weights)
        if weights is not None and self._fits:
            return symmetric_product(self.formed, weights)
        columns = other or self
        chunks, others = self._chunks, columns._chunks
        blocks: list[list[Tensor | None]] = [[None] * len(others) for _ in chunks]
        for i, points in enumerate(chunks):
            rows = self._parts(points)
            for j, own in enumerate(others):
                if other is None and j < i:
                    blocks[i][j] = blocks[j][i].mT
                    continue
                same = other is None and i == j
                blocks[i][j] = self._product(rows, rows if same else columns._parts(own), weights)
        return torch.cat([torch.cat(line, 1) for line in blocks])

    @cached_property
    def formed(self) -> Tensor:
        """J [n·o, p], where it fits the budget."""
        return torch.cat([rows for _, rows in self._rows_of(self._chunks)])

    @cached_property
    def whole(self) -> list[Part]:
        """The parts of J at all points, which products that weigh parameters keep."""
        return self._parts(slice(None))

    @property
    def size(self) -> int:
        """How many numbers J has."""
        return len(self.x) * self._outputs * self.parameters

    @property
    def _fits(self) -> bool:
        return 2 * self.size <= budget.numbers(self.x.itemsize)

    @cached_property
    def _outputs(self) -> int:
        with torch.no_grad():
            node = self.nodes[0]
            return self._f(node, [node.weights[i] for i in self.ensemble.trained], self.x[:1]).shape[1]

    @cached_property
    def _chunks(self) -> list[slice]:
        """Points whose parts of J fit a quarter of the budget."""
        sizes = _PARTS.setdefault(self.ensemble.model.module, {})
        if (key := (self.ensemble, len(self.nodes))) not in sizes:
            sizes[key] = sum(part.numbers for part in self._parts(slice(1)))
        each = sizes[key]
        step = max(1, budget.numbers(self.x.itemsize) // (4 * each))
        return [slice(begin, begin + step) for begin in range(0, len(self.x), step)]

    def _rows(self) -> Iterator[tuple[slice, Tensor]]:
        """Points and their rows of J: all at once where they fit the budget."""
        if self._fits:
            yield slice(None), self.formed
            return
        step = max(1, budget.numbers(self.x.itemsize) // (4 * self._outputs * self.parameters))
        yield from self._rows_of([slice(begin, begin + step) for begin in range(0, len(self.x), step)])

    def _rows_of(self, chunks: Sequence[slice]) -> Iterator[tuple[slice, Tensor]]:
        if "whole" in vars(self):
            return iter([(slice(None), rows_of(self.whole))])
        return ((points, rows_of(self._parts(points))) for points in chunks)

    def _product(self, rows: list[Part], columns: list[Part], weights: Tensor | None) -> Tensor:
        """JDJ'ᵀ of parts of J."""
        total, begin = None, 0
        for left, right in zip(rows, columns, strict=True):
            own = None if weights is None else weights[begin : begin + left.columns]
            begin += left.columns
            term = product_of(left, right, own)
            total = term if total is None else total.add_(term)
        assert total is not None
        return total

    @property
    def _places(self) -> list[tuple[int, int]]:
        """Tensor and copy of every part, in the order of the vectors."""
        return [
            (tensor, copy) for tensor in self.ensemble.trained for copy in range(len(self.ensemble.readout))
        ]

    def _parts(self, points: slice) -> list[Part]:
        """The parts of J at some points."""
        found = [self._parts_at(node, self.x[points]) for node in self.nodes]
        shares = [node.share for node in self.nodes]
        if shares == [1.0]:
            return found[0]
        return [parts[0].joined(shares, parts) for parts in zip(*found, strict=True)]

    def _parts_at(self, node: Node, x: Tensor) -> list[Part]:
        net, trained = self.ensemble.model, self.ensemble.trained
        copies = []
        for copy, readout in enumerate(self.ensemble.readout):
            own = parts_of(net, [weight[copy] for weight in node.weights], x, trained)
            copies.append(
                {i: part.joined([readout], [part]) if readout != 1 else part for i, part in own.items()}
            )
        return [copies[copy][tensor] for tensor, copy in self._places]

    def _f(self, node: Node, trained: Sequence[Tensor], x: Tensor) -> Tensor:
        """f [n, o] with the trained tensors [K, out, in] in the place of the node's own."""
        weights = dict(enumerate(node.weights)) | dict(zip(self.ensemble.trained, trained, strict=True))
        total = None
        for copy, readout in enumerate(self.ensemble.readout):
            f = self.ensemble.model.alone([weights[i][copy] for i in range(len(weights))], x)
            total = readout * f if total is None else total + readout * f
        assert total is not None
        return total

    def _size(self, tensor: int) -> int:
        return self.nodes[0].weights[tensor].numel()

    def _split(self, vector: Tensor) -> list[Tensor]:
        return split(vector, [self.nodes[0].weights[tensor].shape for tensor in self.ensemble.trained])


def _squares(part: Part, errors: Tensor, noise: float) -> Tensor:
    """`_squares` returns a part of Σ_q (Jᵀe_q)² for errors [q, n, o], the noise of mini-batches included."""
    total = sum(part.pulled(own).square_() for own in errors)
    if not noise:
        return total
    single, points = torch.zeros_like(total), errors.shape[1]
    for i in range(points):
        here = slice(i, i + 1)
        point = type(part)(*(getattr(part, own.name)[here] for own in fields(part)))
        for own in errors[:, here]:
            single += point.pulled(own).square_()
    return (1 - noise) * total + noise * points * single


def _moved(f: Callable[..., Tensor], at: Sequence[Tensor], directions: Sequence[Tensor]) -> Tensor:
    """`_moved` returns the derivative of f along directions; of layers without a forward derivative it is
    ∂⟨u, Jᵀv⟩/∂v, two backward passes."""
    try:
        return jvp(f, tuple(at), tuple(directions))[1]
    except NotImplementedError:
        own = [tensor.detach().requires_grad_() for tensor in at]
    with torch.enable_grad():
        value = f(*own)
        v = torch.zeros_like(value, requires_grad=True)
        pulled = torch.autograd.grad(value, own, v, create_graph=True, materialize_grads=True)
        along = sum((u * part).sum() for u, part in zip(directions, pulled, strict=True))
    return torch.autograd.grad(along, v)[0]
