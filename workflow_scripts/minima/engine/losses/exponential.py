"""The exponential loss e^{−yf}, with y = ±1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.marks import Loss

if TYPE_CHECKING:
    from torch import Tensor


class Exponential(Loss):
    """Mean of e^(−yf), of labels: sign."""

    labels = "sign"
    margins = True


def loss(f: Tensor, y: Tensor, out: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """`loss` returns the value [E] and its slope in f [E, n, outputs]."""
    import torch

    each = (-y * f).exp_()
    value = each.sum((1, 2)) / y.shape[1]
    return value, torch.mul(-y, each, out=out).div_(y.shape[1])
