"""Stacked fully connected nets without biases, with hand-derived gradients.

For each of B networks, n points, H weight matrices W_l (out × in), f = a_H:

    a_l = s_l h_{l−1} W_lᵀ,   h_l = φ(a_l),   h_0 = x
    δ_H = ∂L/∂f,   δ_{l−1} = (s_l δ_l W_l) ⊙ φ'(a_{l−1}),   ∂L/∂W_l = s_l δ_lᵀ h_{l−1}

`ntk` parametrization: s_l = 1/√fan-in, W drawn N(0, 1); `standard`: s_l = 1, W drawn N(0, 1/fan-in).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from minima.engine.models.activations import ACTIVATIONS


@dataclass(frozen=True)
class Tape:
    """What a forward pass leaves for the backward pass: h_0 … h_{H−1}, and what φ' needs."""

    hidden: list[Tensor]
    kept: list[Tensor]


@dataclass(frozen=True)
class MLP:
    """The shape of a net; weights are passed in, one tensor [B, out, in] per layer."""

    sizes: tuple[int, ...]  # d, m, …, m, outputs
    activation: str
    parametrization: str

    @property
    def weight_shapes(self) -> list[tuple[int, int]]:
        return [(out, into) for into, out in pairwise(self.sizes)]

    @property
    def factors(self) -> list[float]:
        """s_l."""
        return [into**-0.5 if self.parametrization == "ntk" else 1.0 for into in self.sizes[:-1]]

    @property
    def draw_stds(self) -> list[float]:
        """Standard deviation of the entries of W_l at σ = 1."""
        return [1.0 if self.parametrization == "ntk" else into**-0.5 for into in self.sizes[:-1]]

    def forward(self, weights: Sequence[Tensor], x: Tensor) -> tuple[Tensor, Tape]:
        """f [B, n, outputs] at x [B, n, d], and the tape."""
        phi = ACTIVATIONS[self.activation].value
        tape = Tape([x], [])
        for weight, factor in zip(weights[:-1], self.factors[:-1], strict=True):
            hidden, kept = phi(_product(tape.hidden[-1], weight.mT, factor))
            tape.hidden.append(hidden)
            tape.kept.append(kept)
        return _product(tape.hidden[-1], weights[-1].mT, self.factors[-1]), tape

    def add_gradients(
        self, weights: Sequence[Tensor], tape: Tape, delta: Tensor, into: Sequence[Tensor]
    ) -> None:
        """Adds ∂L/∂W_l to `into`, from delta = ∂L/∂f [B, n, outputs]. `into` may be the weights."""
        for layer in reversed(range(len(weights))):
            below = self._pull_back(weights, tape, delta, layer) if layer else delta
            into[layer].baddbmm_(delta.mT, tape.hidden[layer], alpha=self.factors[layer])
            delta = below

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
            pull_back = ACTIVATIONS[self.activation].pull_back
            delta = pull_back(delta.view(batch, points, outputs, width), kept)
            found.append(delta)
        return found[::-1]

    def _pull_back(self, weights: Sequence[Tensor], tape: Tape, delta: Tensor, layer: int) -> Tensor:
        """δ_{l−1} from δ_l."""
        delta = _product(delta, weights[layer], self.factors[layer])
        return ACTIVATIONS[self.activation].pull_back(delta, tape.kept[layer - 1])


def build(network: dict[str, Any], features: int, outputs: int) -> MLP:
    """The net that a cell's `network` section describes, for data of so many features and outputs."""
    hidden = (network["width"],) * (network["depth"] - 1)
    return MLP((features, *hidden, outputs), network["activation"], network["parametrization"])


def _product(a: Tensor, b: Tensor, factor: float) -> Tensor:
    """factor · a @ b for stacks, in one pass."""
    out = a.new_empty(a.shape[0], a.shape[1], b.shape[2])
    return torch.baddbmm(out, a, b, beta=0, alpha=factor, out=out)
