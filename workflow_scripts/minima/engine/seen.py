"""What the training points see of the first of two linear layers."""

import torch
from torch import Tensor


def row_space(x: Tensor) -> Tensor:
    """`row_space` returns an orthonormal basis [E, 1, d, n] of what the points [E, n, d] span."""
    return torch.linalg.qr(x.mT).Q.unsqueeze(1)
