"""Passes of stacked fully connected nets over blocks of points, bound to their memory: the fast way on a CPU.

The loss is a sum over points. A block goes forward and back while its activations are in a core's own cache,
and gradients add up over blocks. All views are made once, so that a step is a list of calls on memory that
stays where it is. The formulas are those of `minima.engine.networks.mlp`; in memory a, h and δ have a row per
unit, [B, m, b]. Two things save passes over that memory:

- φ and φ' overwrite what they are taken of, so that a layer has one array, not three; - of two layers with
one output, ∂L/∂W_1 = s_2 diag(W_2) φ'(a_1) diag(δ_2) x needs no δ_1: the factors go to the points before the
product and to the result behind it.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from minima.engine.block import Block, Call, Memory
from minima.engine.device import cache_bytes
from minima.engine.products import product

CACHE_SHARE = 0.5  # of a core's cache for the activations of a block
SMALLEST = 32  # points of a block: fewer make the products slower


def blocks(model: Any, memory: Memory) -> list[Block]:
    """`blocks` returns the passes over all points of a net (`MLP` or `Gram`), in blocks that fit the
    cache."""
    points = memory.x.shape[1]
    size = points
    if memory.fixed:
        hidden = sum(model.sizes[1:-1]) * len(memory.x) * memory.x.element_size()
        size = min(points, max(SMALLEST, int(CACHE_SHARE * cache_bytes()) // max(hidden, 1)))
    rooms: dict[tuple[str, int], Tensor] = {}
    found = [
        _Binding(model, memory, slice(begin, min(begin + size, points)), rooms).block
        for begin in range(0, points, size)
    ]
    found[-1].backward += _Binding.last_calls(model, memory)
    return found


class _Binding:
    """`_Binding` binds the calls of one block."""

    def __init__(
        self, model: Any, memory: Memory, points: slice, rooms: dict[tuple[str, int], Tensor]
    ) -> None:
        self.model, self.memory, self.rooms = model, memory, rooms
        self.rows = memory.x[:, points]
        self.f, self.delta = memory.f[:, :, points], memory.delta[:, :, points]
        self.adds = points.start > 0
        self.block = Block(points)
        # A transposed factor makes small products up to twice as slow.
        self.hidden = [self.rows.mT.contiguous() if memory.fixed else self.rows.mT]
        self.kept: list[Tensor] = []
        self._bind_forward()
        self._bind_backward()

    @staticmethod
    def needs_no_delta(model: Any, memory: Memory) -> bool:
        """Whether ∂L/∂W_1 is taken without δ_1, and that pays."""
        inputs, width, outputs = model.sizes[0], model.sizes[1], model.sizes[-1]
        return len(model.sizes) == 3 and outputs == 1 and inputs <= width and memory.gradients[0] is not None

    @staticmethod
    def last_calls(model: Any, memory: Memory) -> list[Call]:
        """`last_calls` returns what is left to do when all blocks have been passed."""
        if model.first_is_coefficients or not _Binding.needs_no_delta(model, memory):
            return []
        first = memory.gradients[0]
        return [partial(torch.mul, first, memory.weights[1].mT, out=first)]

    def room(self, name: str, units: int) -> Tensor:
        """`room` returns an array [B, units, b] that all blocks share."""
        shape = len(self.rows), units, self.rows.shape[1]
        key = name, shape[2]
        if key not in self.rooms:
            self.rooms[key] = self.rows.new_empty(shape)
        return self.rooms[key]

    def _bind_forward(self) -> None:
        calls, phi, weights = self.block.forward, self.model.phi, self.memory.weights
        last = len(self.model.sizes) - 2
        for layer in range(last):
            units = self.model.sizes[layer + 1]
            a = self.room(f"a{layer}", units)
            calls.append(product(weights[layer], self.hidden[-1], a, self._factor(layer)))
            if layer == 0 and self.model.first_is_coefficients:
                calls.append(partial(a.add_, weights[-1][:, :, self.block.points]))
            h = self.room(f"h{layer}", units) if phi.KEEPS_INPUT else a
            calls.append(partial(phi.value, a, h))
            self.kept.append(a)
            self.hidden.append(h)
        calls.append(product(weights[last], self.hidden[-1], self.f, self._factor(last)))

    def _bind_backward(self) -> None:
        calls, model, memory = self.block.backward, self.model, self.memory
        wanted = [layer for layer, gradient in enumerate(memory.gradients) if gradient is not None]
        delta = self.delta
        for layer in range(len(model.sizes) - 2, wanted[0] - 1, -1):
            gradient = memory.gradients[layer]
            if layer == 0 and model.first_is_coefficients:
                return  # δ_1 has been written where the gradient belongs
            if gradient is not None:
                below = self.rows if layer == 0 else self.hidden[layer].mT
                calls.append(product(delta, below, gradient, self._factor(layer), add=self.adds))
            if layer == wanted[0]:
                return
            if layer == 1 and not model.first_is_coefficients and self.needs_no_delta(model, memory):
                calls.append(partial(model.phi.slope, self.kept[0]))
                weighted = torch.empty_like(self.rows)
                calls.append(partial(torch.mul, self.rows, delta.mT, out=weighted))
                first = memory.gradients[0]
                calls.append(product(self.kept[0], weighted, first, self._factor(1), add=self.adds))
                return
            delta = self._bind_pull_back(delta, layer)

    def _bind_pull_back(self, delta: Tensor, layer: int) -> Tensor:
        """`_bind_pull_back` binds δ_{l−1} from δ_l and returns where it is written."""
        calls, weight, factor = self.block.backward, self.memory.weights[layer], self._factor(layer)
        if layer == 1 and self.model.first_is_coefficients:
            out = self.memory.gradients[0][:, :, self.block.points]
            factor *= self.model.factors[0]
        else:
            out = self.room(f"δ{layer}", weight.shape[2])
        kept, phi = self.kept[layer - 1], self.model.phi
        if weight.shape[1] > 1:
            calls.append(product(weight.mT, delta, out, factor))
            calls.append(partial(phi.pull_back, out, kept))
            return out
        # An outer product: three passes over memory, none of which needs the matrix library.
        scaled = delta if factor == 1 else torch.empty_like(delta)
        if factor != 1:
            calls.append(partial(torch.mul, delta, factor, out=scaled))
        calls.append(partial(phi.slope, kept))
        calls.append(partial(torch.mul, kept, scaled, out=out))
        calls.append(partial(out.mul_, weight.mT))
        return out

    def _factor(self, layer: int) -> float:
        """s_l; the points have s_1 already."""
        return self.model.factors[layer] if layer else 1.0
