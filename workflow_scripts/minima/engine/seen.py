"""What the training points see of the first of two linear layers."""

from collections.abc import Sequence

import torch
from torch import Tensor


def row_space(x: Tensor) -> Tensor:
    """`row_space` returns an orthonormal basis [E, 1, d, n] of what the points [E, n, d] span."""
    return torch.linalg.qr(x.mT).Q.unsqueeze(1)


def imbalance(weights: Sequence[Tensor], basis: Tensor) -> Tensor:
    """`imbalance` returns Λ = U1ᵀU1 − VᵀV [E, K, h, h], U1 what is seen of the first layer in this basis."""
    seen = weights[0] @ basis
    return seen @ seen.mT - weights[1].mT @ weights[1]
