"""The cross-entropy −Σ y log softmax f, with y a distribution over the outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.marks import Loss

if TYPE_CHECKING:
    from torch import Tensor


class CrossEntropy(Loss):
    """Mean of −Σ y log softmax f, of labels: onehot."""

    labels = "onehot"
    margins = True


def loss(f: Tensor, y: Tensor, out: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """`loss` returns the value [E] and its slope in f [E, n, outputs]."""
    import torch
    from torch.nn.functional import log_softmax

    logarithm = log_softmax(f, dim=2)
    value = -(y * logarithm).sum((1, 2)) / y.shape[1]
    return value, torch.sub(logarithm.exp_(), y, out=out).div_(y.shape[1])
