"""The logistic loss log(1 + e^{−yf}), with y = ±1."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def loss(f: "Tensor", y: "Tensor", out: "Tensor | None" = None) -> "tuple[Tensor, Tensor]":
    """`loss` returns the value [E] and its slope in f [E, n, outputs]."""
    import torch
    from torch.nn.functional import softplus

    margin = -y * f
    value = softplus(margin).sum((1, 2)) / y.shape[1]
    return value, torch.mul(-y, margin.sigmoid_(), out=out).div_(y.shape[1])
