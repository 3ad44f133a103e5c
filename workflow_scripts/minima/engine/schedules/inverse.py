"""As one over the steps: 1/(1 + k/length)."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor


def schedule(options: Mapping[str, Any], last: int) -> Callable[[Mapping[str, Tensor], int], Tensor]:
    """`schedule` returns the function of (numbers, k) that multiplies η."""
    return factor


def factor(numbers: Mapping[str, Tensor], step: int) -> Tensor:
    """`factor` returns 1/(1 + k/length) [E, 1, 1, 1] at step k."""
    return 1 / (1 + step / numbers["schedule.length"])
