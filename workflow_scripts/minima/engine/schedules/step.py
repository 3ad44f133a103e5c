"""Steps down: factor^⌊k/length⌋."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor


def schedule(options: Mapping[str, Any], last: int) -> Callable[[Mapping[str, Tensor], int], Tensor]:
    """`schedule` returns the function of (numbers, k) that multiplies η."""
    return factor


def factor(numbers: Mapping[str, Tensor], step: int) -> Tensor:
    """`factor` returns factor^⌊k/length⌋ [E, 1, 1, 1] at step k."""
    return numbers["schedule.factor"] ** torch.floor(step / numbers["schedule.length"])
