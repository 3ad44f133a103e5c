"""By how much points are in the right class: y f for one output with y = ±1, else f_y − f_k for each other
class k."""

import torch
from torch import Tensor


def margins(f: Tensor, y: Tensor) -> Tensor:
    """`margins` returns the margins [E, n, m] of f and y [E, n, o]: m = 1 for one output, else o − 1."""
    return torch.einsum("enmo,eno->enm", combinations(y), f)


def combinations(y: Tensor) -> Tensor:
    """`combinations` returns the margins of a point as combinations of its outputs [E, n, m, o], of targets y
    [E, n, o]."""
    outputs = y.shape[2]
    if outputs == 1:
        return y.sign().unsqueeze(2)
    own = y.argmax(2)
    others = torch.arange(outputs - 1, device=y.device).expand(*own.shape, -1)
    others = others + (others >= own.unsqueeze(2))  # all classes but the point's own
    one = torch.eye(outputs, dtype=y.dtype, device=y.device)
    return one[own].unsqueeze(2) - one[others]
