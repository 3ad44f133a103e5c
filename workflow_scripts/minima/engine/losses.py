"""Training losses on stacked networks: the value per network, and the slope in f.

`loss(f, y) -> (L [E], ∂L/∂f [E, n, outputs])` for predictions and targets [E, n, outputs]; L is a mean over
points.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import log_softmax, softplus

Loss = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def mse(f: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """‖f − y‖²/2N."""
    points = y.shape[1]
    error = f - y
    return error.square().sum((1, 2)) / (2 * points), error.div_(points)


def cross_entropy(f: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """−Σ y log softmax f, with y a distribution over the outputs."""
    logarithm = log_softmax(f, dim=2)
    return -(y * logarithm).sum((1, 2)) / y.shape[1], (logarithm.exp() - y) / y.shape[1]


def logistic(f: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """log(1 + e^{−yf}), with y = ±1."""
    return softplus(-y * f).sum((1, 2)) / y.shape[1], -y * torch.sigmoid(-y * f) / y.shape[1]


LOSSES: dict[str, Loss] = {"mse": mse, "cross_entropy": cross_entropy, "logistic": logistic}
