"""Stacked fully connected nets without biases, with hand-derived gradients.

For each of B networks, n points, H weight matrices W_l (out × in), f = a_H:

    a_l = s_l h_{l−1} W_lᵀ,   h_l = φ(a_l),   h_0 = x
    δ_H = ∂L/∂f,   δ_{l−1} = (s_l δ_l W_l) ⊙ φ'(a_{l−1}),   ∂L/∂W_l = s_l δ_lᵀ h_{l−1}

Parametrizations: `ntk` s_l = 1/√fan-in, W drawn N(0, 1); `standard` s_l = 1, W drawn N(0, 1/fan-in); `none`
s_l = 1, W drawn N(0, 1).

In memory a, h and δ have a row per unit, [B, m, n]: then no factor of ∂L/∂W_1 = s δ_1ᵀ x is transposed, which
made that product up to twice as slow.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from itertools import pairwise
from math import prod
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from minima.engine.block import Block, Memory
from minima.engine.networks.bound import blocks

Draw = Callable[[Sequence[tuple[int, int]], Sequence[float], int, np.ndarray | None], list[np.ndarray]]


@dataclass(frozen=True)
class Tape:
    """What a forward pass leaves for the backward pass: h_0 … h_{H−1}, and what φ' needs.

    It lives in memory that the next pass takes over: fresh memory for every pass, which the system has to
    clear first, made products of 4 MB and more 2.5 times as slow.
    """

    hidden: list[Tensor]
    kept: list[Tensor]
    memory: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict)  # by name: all of it, and in use

    def room(self, name: str, like: Tensor, *shape: int) -> Tensor:
        """An array to be written, where the last one of this name was."""
        whole, used = self.memory.get(name) or (like[:0], like[:0])
        if used.shape != shape:
            size = prod(shape)
            whole = whole if whole.numel() >= size else like.new_empty(size)
            used = whole[:size].view(shape)
            self.memory[name] = whole, used
        return used


@dataclass(frozen=True)
class MLP:
    """The shape of a net; weights are passed in, one tensor [B, out, in] per layer."""

    sizes: tuple[int, ...]  # d, m, …, m, outputs
    activation: str
    parametrization: str
    frozen: tuple[int, ...] = ()  # layers that keep their initial weights, counted from 0

    first_is_coefficients = False  # in place of W_1, as in the Gram form

    @cached_property
    def phi(self) -> ModuleType:
        """`phi` returns the module of φ."""
        return import_module(f"minima.engine.activations.{self.activation}")

    @property
    def jacobians(self) -> ModuleType:
        """`jacobians` returns who has the Jacobian of such nets."""
        from minima.engine.jacobians import layers

        return layers

    @cached_property
    def trained(self) -> list[int]:
        return [layer for layer in range(len(self.sizes) - 1) if layer not in self.frozen]

    @property
    def weight_shapes(self) -> list[tuple[int, int]]:
        return [(out, into) for into, out in pairwise(self.sizes)]

    @cached_property
    def factors(self) -> list[float]:
        """s_l."""
        return [into**-0.5 if self.parametrization == "ntk" else 1.0 for into in self.sizes[:-1]]

    @property
    def draw_stds(self) -> list[float]:
        """Standard deviation of the entries of W_l at σ = 1."""
        return [into**-0.5 if self.parametrization == "standard" else 1.0 for into in self.sizes[:-1]]

    def drawn(
        self, draw: Draw, options: Mapping[str, Any], seed: int, x: np.ndarray | None = None
    ) -> list[np.ndarray]:
        """Weights [copies, out, in] of one network, drawn as its `init` section says at points x [n, d]."""
        scale = options["scale"] * self.sizes[1] ** -options["width_power"]
        layers = options["layer_scales"] or [1.0] * len(self.draw_stds)
        stds = [scale * own * std for own, std in zip(layers, self.draw_stds, strict=True)]
        weights = draw(self.weight_shapes, stds, seed, x)
        if options["output"] == "sign":
            weights[-1] = stds[-1] * np.sign(weights[-1])
        if options["flip"]:
            weights[-1] = -weights[-1]
        return weights

    def forward(
        self, weights: Sequence[Tensor], x: Tensor, last: Tape | None = None, training: bool = False
    ) -> tuple[Tensor, Tape]:
        """f [B, n, outputs] at x [B, n, d], in training or not, and the tape, which takes over the memory
        of the `last` one."""
        tape = Tape([x], [], last.memory if last else {})
        for layer in range(len(self.sizes) - 2):
            a = self._linear(weights, tape, layer)
            h = tape.room(f"h{layer}", a.mT, *a.mT.shape).mT if self.phi.KEEPS_INPUT else a
            tape.hidden.append(self.phi.value(a, h))
            tape.kept.append(a)
        return self._linear(weights, tape, len(self.sizes) - 2), tape

    def gradients(
        self, weights: Sequence[Tensor], tape: Tape, delta: Tensor, out: Sequence[Tensor | None]
    ) -> None:
        """Writes ∂L/∂W_l to `out`, None where not wanted, from delta = ∂L/∂f [B, n, outputs]."""
        lowest = min(layer for layer, target in enumerate(out) if target is not None)
        for layer in range(len(self.sizes) - 2, lowest - 1, -1):
            if out[layer] is not None:
                self._gradient(out[layer], delta, tape, layer)
            if layer > lowest:
                delta = self._pull_back(weights, tape, delta, layer)

    def bound(self, memory: Memory) -> list[Block]:
        """Passes over blocks of the points x, of `minima.engine.networks.bound`; x has been `prepared`."""
        return blocks(self, memory)

    def prepared(self, x: Tensor) -> Tensor:
        """s_1 x, the points as bound passes take them."""
        return x if self.factors[0] == 1 else x * self.factors[0]

    def path_sums(self, weights: Sequence[Tensor], p: int) -> Tensor:
        """Σ over paths from inputs to outputs of ∏|s_l w_l|^p, per network [B]."""
        sums = weights[0].new_ones(len(weights[0]), self.sizes[0], 1)
        for weight, factor in zip(weights, self.factors, strict=True):
            sums = (weight * factor).abs() ** p @ sums
        return sums.sum((1, 2))

    def signs(self, weights: Sequence[Tensor], x: Tensor) -> list[Tensor]:
        """Where h_l > 0, per hidden layer: [B, n, m_l]."""
        return [h > 0 for h in self.forward(weights, x)[1].hidden[1:]]

    def signals(self, weights: Sequence[Tensor], tape: Tape) -> list[Tensor]:
        """∂f/∂a_l for l = 1 … H: [B, n, outputs, m_l], a row per point and output."""
        batch, points = tape.hidden[0].shape[:2]
        outputs = self.sizes[-1]
        delta = torch.eye(outputs, dtype=weights[-1].dtype, device=weights[-1].device)
        delta = delta.expand(batch, points, outputs, outputs)
        found = [delta]
        for layer in reversed(range(1, len(weights))):
            width = weights[layer].shape[-1]
            delta = (delta.flatten(1, 2) @ weights[layer]).mul_(self.factors[layer])
            kept = tape.kept[layer - 1].unsqueeze(2).expand(batch, points, outputs, width)
            delta = self.phi.pull_back(delta.view(batch, points, outputs, width), kept)
            found.append(delta)
        return found[::-1]

    def _linear(self, weights: Sequence[Tensor], tape: Tape, layer: int) -> Tensor:
        """a_l."""
        weight, below = weights[layer], tape.hidden[layer]
        out = tape.room(f"a{layer}", below, below.shape[0], weight.shape[1], below.shape[1])
        return torch.baddbmm(out, weight, below.mT, beta=0, alpha=self.factors[layer], out=out).mT

    def _gradient(self, out: Tensor, delta: Tensor, tape: Tape, layer: int) -> None:
        """∂L/∂W_l."""
        torch.baddbmm(out, delta.mT, tape.hidden[layer], beta=0, alpha=self.factors[layer], out=out)

    def _pull_back(self, weights: Sequence[Tensor], tape: Tape, delta: Tensor, layer: int) -> Tensor:
        """δ_{l−1} from δ_l."""
        weight, factor = weights[layer], self.factors[layer]
        out = tape.room(f"δ{layer}", delta, delta.shape[0], weight.shape[2], delta.shape[1])
        if weight.shape[1] == 1:  # an outer product, four times as fast without the matrix library
            torch.mul(weight.mT * factor, delta.mT, out=out)
        else:
            torch.baddbmm(out, weight.mT, delta.mT, beta=0, alpha=factor, out=out)
        return self.phi.pull_back(out.mT, tape.kept[layer - 1])
