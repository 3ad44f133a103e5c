"""The narrow form of two linear layers, for full-batch training with steps that combine gradients linearly.

f = s W_2 W_1 x, and with G = s δᵀx [m, d], δ = ∂L/∂f, the gradients are ∂L/∂W_1 = W_2ᵀG, ∂L/∂W_2 = G W_1ᵀ.
With the n points in the coordinates of a basis B of their rows, x = C Bᵀ, all that moves of W_1 is W_1B, and
all that moves of both lies in the span of the m + n rows of [W_2; (W_1B)ᵀ] in the hidden units. In a basis Q
of that span (QR) the net has m + n units and n inputs, however wide it was, and takes exactly the same path.
Where outputs are few, W_2 W_1 first and the points then makes a step a few products of vector and matrix.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from minima.engine.ensemble import Ensemble
from minima.engine.networks.mlp import MLP, Tape
from minima.forms import moving_units

FLOWS = True
ONLY_FOR = "linear"


@dataclass(frozen=True)
class NarrowNet(MLP):
    """`NarrowNet` is a net with the weights W_1B (n or d inputs) and W_2, both in the basis Q; `scales` are
    the factors s_l of the wide net."""

    scales: tuple[float, ...] = ()

    bound = None  # its products are few and small already

    @cached_property
    def factors(self) -> list[float]:
        return list(self.scales)

    def forward(
        self, weights: Sequence[Tensor], x: Tensor, last: Tape | None = None, training: bool = False
    ) -> tuple[Tensor, Tape]:
        """`forward` returns f [B, n, outputs] at x [B, n, inputs], as (W_2 W_1) x: outputs are few."""
        return x @ ((weights[1] * self._factor) @ weights[0]).mT, Tape([x], [])

    def gradients(
        self, weights: Sequence[Tensor], tape: Tape, delta: Tensor, out: Sequence[Tensor | None]
    ) -> None:
        """`gradients` writes the gradients of both layers, as `MLP.gradients` does."""
        slope = (delta.mT @ tape.hidden[0]) * self._factor  # G
        if self.sizes[-1] == 1:
            torch.mul(weights[1].mT, slope, out=out[0])
        else:
            torch.bmm(weights[1].mT, slope, out=out[0])
        torch.bmm(slope, weights[0].mT, out=out[1])

    @property
    def _factor(self) -> float:
        return self.scales[0] * self.scales[1]


def shapes(model: MLP, points: int) -> list[tuple[int, int]]:
    """What a net takes in place of its weights."""
    inputs, width, outputs = model.sizes
    width = min(width, moving_units(points, inputs, outputs))
    return [(width, min(points, inputs)), (outputs, width)]


@dataclass(frozen=True)
class Narrow:
    """`Narrow` is a stack of networks in these coordinates, with the ensemble, weights and points to
    train."""

    ensemble: Ensemble
    weights: list[Tensor]  # [E, K, m + n, n] and [E, K, outputs, m + n]
    x: Tensor  # C [E, n, n]
    start: list[Tensor]  # the wide weights before the first step
    narrow_start: list[Tensor]
    rows: Tensor  # B [E, 1, d, n]
    span: Tensor | None  # Q [E, K, width, m + n]; None where the net is no wider

    def out(self, weights: Sequence[Tensor], row: int) -> list[Tensor]:
        """The wide weights of one network, from its narrow ones."""
        moved = [now - then[row] for now, then in zip(weights, self.narrow_start, strict=True)]
        first, second = moved[0] @ self.rows[row].mT, moved[1]
        if self.span is not None:
            first, second = self.span[row] @ first, second @ self.span[row].mT
        return [self.start[0][row] + first, self.start[1][row] + second]


def into(ensemble: Ensemble, weights: Sequence[Tensor], x: Tensor) -> Narrow:
    """`into` returns networks with weights [E, K, out, in] and points x [E, n, d] in these coordinates."""
    model = ensemble.model
    rows = torch.linalg.qr(x.mT).Q.unsqueeze(1) if x.shape[1] < x.shape[2] else None
    inputs = x.shape[2] if rows is None else x.shape[1]
    basis = torch.eye(inputs, dtype=x.dtype, device=x.device)[None, None] if rows is None else rows
    basis = basis.expand(len(x), *basis.shape[1:])
    first, second = weights[0] @ basis, weights[1].clone()  # training writes into both
    span = None
    if model.sizes[1] > moving_units(x.shape[1], model.sizes[0], model.sizes[-1]):
        span = torch.linalg.qr(torch.cat([second.mT, first], dim=3)).Q
        first, second = span.mT @ first, second @ span
    shape = (inputs, first.shape[2], model.sizes[-1])
    net = NarrowNet(shape, model.activation, model.parametrization, scales=tuple(model.factors))
    return Narrow(
        Ensemble(net, ensemble.readout),
        [first, second],
        x @ basis[:, 0],
        list(weights),
        [first.clone(), second.clone()],
        basis,
        span,
    )
