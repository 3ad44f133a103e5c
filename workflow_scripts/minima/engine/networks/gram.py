"""The Gram form of a net's first layer, for full-batch training with steps that combine gradients linearly.

∂L/∂W_1 = s δ_1ᵀ x lies in the span of the points, so W_1 = W_1⁰ + A x with coefficients A [B, m, n], on which
the same optimizer takes the same steps with s δ_1ᵀ for its gradient, and

    a_1 = a_1⁰ + s x xᵀ Aᵀ

costs one product of m·n·n where W_1 costs two of m·n·d. The kernel x xᵀ [B, n, n] takes the place of the
points, A that of W_1, and a_1⁰ goes along as one more tensor that is never trained.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from minima.engine.ensemble import Ensemble
from minima.engine.networks.mlp import MLP, Tape

FLOWS = False  # the integrator of the flow has its own way with the first layer


class Gram(MLP):
    """An MLP in the coordinates above: weights A, W_2 … W_H, a_1⁰ᵀ."""

    first_is_coefficients = True

    def _linear(self, weights: Sequence[Tensor], tape: Tape, layer: int) -> Tensor:
        if layer:
            return super()._linear(weights, tape, layer)
        out = tape.room("a0", weights[-1], *weights[-1].shape)
        return torch.baddbmm(weights[-1], weights[0], tape.hidden[0], alpha=self.factors[0], out=out).mT

    def _gradient(self, out: Tensor, delta: Tensor, tape: Tape, layer: int) -> None:
        if layer:
            super()._gradient(out, delta, tape, layer)
        else:
            torch.mul(delta.mT, self.factors[0], out=out)


def shapes(model: MLP, points: int) -> list[tuple[int, int]]:
    """What a network takes in place of its weights."""
    return [(model.sizes[1], points), *model.weight_shapes[1:], (model.sizes[1], points)]


@dataclass(frozen=True)
class GramForm:
    """`GramForm` is a stack of networks in these coordinates, with the ensemble, weights and points to
    train."""

    ensemble: Ensemble
    weights: list[Tensor]
    x: Tensor  # [E, n, n]
    first: Tensor  # W_1⁰ [E, K, m, d]
    points: Tensor  # [E, n, d]

    def out(self, weights: Sequence[Tensor], row: int) -> list[Tensor]:
        """W_1 … W_H [K, out, in] of one network."""
        coefficients, *others, _ = weights
        return [self.first[row] + coefficients @ self.points[row], *others]


def into(ensemble: Ensemble, weights: Sequence[Tensor], x: Tensor) -> GramForm:
    """`into` returns networks with weights [E, K, out, in] and points [E, n, d] in these coordinates."""
    model = ensemble.model
    gram = Gram(model.sizes, model.activation, model.parametrization, model.frozen)
    start = (weights[0] @ x.mT.unsqueeze(1)).mul_(model.factors[0])
    coordinates = [torch.zeros_like(start), *weights[1:], start]
    return GramForm(Ensemble(gram, ensemble.readout), coordinates, x @ x.mT, weights[0], x)
