"""The logistic loss log(1 + e^{−yf}), with y = ±1."""

import torch
from torch import Tensor
from torch.nn.functional import softplus


def loss(f: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """`loss` returns the value [E] and its slope in f [E, n, outputs]."""
    return softplus(-y * f).sum((1, 2)) / y.shape[1], -y * torch.sigmoid(-y * f) / y.shape[1]
