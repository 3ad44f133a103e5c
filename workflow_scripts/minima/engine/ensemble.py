"""Networks f = Σ_k readout_k f_k: a model in K copies with weights of their own, and how they are read out.

Shapes: E networks of K copies; weights [E, K, out, in] per layer; x [E, n, d]; f [E, n, outputs].
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Ensemble:
    """`Ensemble` is a model (`minima.engine.models`) with the readout of its copies."""

    model: Any
    readout: tuple[float, ...] = (1.0,)

    @property
    def trained(self) -> list[int]:
        """`trained` returns the indices of the layers that are not frozen."""
        return self.model.trained

    @property
    def parameters(self) -> list[int]:
        """`parameters` returns the indices of the tensors that are parameters. A model may keep further
        tensors behind them: the running statistics of batch normalization."""
        return getattr(self.model, "parameters", list(range(len(self.model.weight_shapes))))

    def forward(
        self, weights: Sequence[Tensor], x: Tensor, last: Any = None, training: bool = False
    ) -> tuple[Tensor, Any]:
        """`forward` returns f at x and the tape for the backward pass, which reuses the memory of the `last`
        tape. `training` says that a step follows: batch normalization behaves differently then."""
        copies = len(self.readout)
        points = x if copies == 1 else x.repeat_interleave(copies, dim=0)
        each, tape = self.model.forward(flat(weights), points, last, training)
        if self.readout == (1.0,):
            return each, tape
        return torch.einsum("k,ek...->e...", self.readout_like(each), each.unflatten(0, (-1, copies))), tape

    def gradients(
        self, weights: Sequence[Tensor], tape: Any, delta: Tensor, out: Sequence[Tensor | None]
    ) -> None:
        """`gradients` writes ∂L/∂W_l to `out`, from delta = ∂L/∂f; None where the gradient of a layer is not
        wanted."""
        if self.readout != (1.0,):
            delta = torch.einsum("k,e...->ek...", self.readout_like(delta), delta).flatten(0, 1)
        targets = [None if target is None else target.flatten(0, 1) for target in out]
        self.model.gradients(flat(weights), tape, delta, targets)

    def moved(self, weights: Sequence[Tensor], u: Tensor) -> list[Tensor]:
        """`moved` returns θ + u, weights [E, K, out, in] and a vector [E, p] of all trained parameters."""
        found = list(weights)
        parts = split(u, [weights[layer].shape[1:] for layer in self.trained])
        for layer, part in zip(self.trained, parts, strict=True):
            found[layer] = found[layer] + part
        return found

    def vector(self, weights: Sequence[Tensor]) -> Tensor:
        """`vector` returns the trained parameters [E, p]."""
        return torch.cat([weights[layer].flatten(1) for layer in self.trained], dim=1)

    def path_norms(self, weights: Sequence[Tensor]) -> Tensor:
        """(Σ over paths of ∏|w|^p)^(1/p) for p = 1, 2, in float64: [E, 2], over all copies as read out."""
        copies = len(self.readout)
        norms = []
        for p in (1, 2):
            each = self.model.path_sums([weight.double() for weight in flat(weights)], p)
            readout = self.readout_like(each).abs() ** p
            norms.append((each.unflatten(0, (-1, copies)) @ readout) ** (1 / p))
        return torch.stack(norms, dim=1)

    def signs(self, weights: Sequence[Tensor], x: Tensor) -> list[Tensor]:
        """`signs` returns which hidden units are positive, per hidden layer: [E, K·n, …]."""
        copies = len(self.readout)
        found = self.model.signs(flat(weights), x.repeat_interleave(copies, dim=0))
        return [layer.unflatten(0, (-1, copies)).flatten(1, 2) for layer in found]

    def readout_like(self, tensor: Tensor) -> Tensor:
        """`readout_like` returns the readout [K] in a tensor's dtype and on its device."""
        return _constant(self.readout, tensor.dtype, tensor.device)


@cache
def _constant(numbers: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """`_constant` returns a tensor that is made once: a copy to a GPU waits for what the GPU is at."""
    return torch.tensor(numbers, dtype=dtype, device=device)


def split(vector: Tensor, shapes: Sequence[Sequence[int]]) -> list[Tensor]:
    """`split` returns the parts of a vector [..., p], tensors of these shapes, one after the other."""
    parts = vector.split([prod(shape) for shape in shapes], dim=-1)
    return [part.unflatten(-1, tuple(shape)) for part, shape in zip(parts, shapes, strict=True)]


def flat(weights: Sequence[Tensor]) -> list[Tensor]:
    """`flat` returns weights [E, K, out, in] as [E·K, out, in], without a copy."""
    return [weight.flatten(0, 1) for weight in weights]
