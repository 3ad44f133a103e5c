"""Half a cosine: (1 + cos(π k/length))/2, 0 after that."""

from collections.abc import Callable, Mapping
from math import pi
from typing import Any

import torch
from torch import Tensor


def schedule(options: Mapping[str, Any], last: int) -> Callable[[Mapping[str, Tensor], int], Tensor]:
    """`schedule` returns the function of (numbers, k) that multiplies η."""
    return factor


def factor(numbers: Mapping[str, Tensor], step: int) -> Tensor:
    """`factor` returns (1 + cos(π k/length))/2 [E, 1, 1, 1] at step k ≤ length, then 0."""
    return (1 + torch.cos(pi * (step / numbers["schedule.length"]).clamp(max=1))) / 2
