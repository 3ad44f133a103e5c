"""Activations on stacked tensors: value, and the chain rule through it.

`value(a) -> (φ(a), kept)`; `pull_back(δ, kept) -> δ ⊙ φ'(a)`. Both may overwrite their first argument.
"""

from collections.abc import Callable
from math import pi, sqrt
from typing import NamedTuple

import torch
from torch import Tensor


class Activation(NamedTuple):
    value: Callable[[Tensor], tuple[Tensor, Tensor]]
    pull_back: Callable[[Tensor, Tensor], Tensor]


def _relu(a: Tensor) -> tuple[Tensor, Tensor]:
    h = a.relu_()
    return h, h


def _tanh(a: Tensor) -> tuple[Tensor, Tensor]:
    h = a.tanh_()
    return h, h


ACTIVATIONS = {
    # One fused pass; φ'(0) = 0 as in autograd.
    "relu": Activation(_relu, lambda d, h: torch.ops.aten.threshold_backward(d, h, 0, grad_input=d)),
    "tanh": Activation(_tanh, lambda d, h: torch.ops.aten.tanh_backward(d, h, grad_input=d)),
    "erf": Activation(lambda a: (torch.erf(a), a), lambda d, a: d.mul_(2 / sqrt(pi) * torch.exp(-a * a))),
    "linear": Activation(lambda a: (a, a), lambda d, a: d),
}
