"""The error function."""

from __future__ import annotations

from math import pi, sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

KEEPS_INPUT = True


def value(a: Tensor, h: Tensor) -> Tensor:
    """`value` writes φ(a) to h and returns it."""
    import torch

    return torch.erf(a, out=h)


def pull_back(delta: Tensor, a: Tensor) -> Tensor:
    """`pull_back` returns δ ⊙ φ'(a), written over δ."""
    return delta.mul_(slope(a.clone()))


def slope(a: Tensor) -> Tensor:
    """`slope` returns φ'(a), written over a."""
    return a.square_().neg_().exp_().mul_(2 / sqrt(pi))
