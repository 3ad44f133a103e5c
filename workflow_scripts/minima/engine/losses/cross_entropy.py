"""The cross-entropy −Σ y log softmax f, with y a distribution over the outputs."""

from torch import Tensor
from torch.nn.functional import log_softmax


def loss(f: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """`loss` returns the value [E] and its slope in f [E, n, outputs]."""
    logarithm = log_softmax(f, dim=2)
    return -(y * logarithm).sum((1, 2)) / y.shape[1], (logarithm.exp() - y) / y.shape[1]
