"""The squared error ‖f − y‖²/2N."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.marks import Loss

if TYPE_CHECKING:
    from torch import Tensor


class MeanSquare(Loss):
    """‖y − f‖²/2N."""


def loss(f: Tensor, y: Tensor, out: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """`loss` returns the value [E] and its slope in f [E, n, outputs]."""
    import torch

    points = y.shape[1]
    error = torch.sub(f, y, out=out)
    flat = error.flatten(1).unsqueeze(1)
    return torch.bmm(flat, flat.mT).flatten() / (2 * points), error.div_(points)
