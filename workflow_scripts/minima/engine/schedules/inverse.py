"""As one over the steps: 1/(1 + k/length)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from minima.plan.optimizers import Schedule
from minima.plan.options import VARIES

if TYPE_CHECKING:
    from torch import Tensor


class Inverse(Schedule):
    """η/(1 + k/length)."""

    length: int = Field(ge=1, description="Steps until η has halved.", json_schema_extra=VARIES)


def schedule(options: Mapping[str, Any], last: int) -> Callable[[Mapping[str, Tensor], int], Tensor]:
    """`schedule` returns the function of (numbers, k) that multiplies η."""
    return factor


def factor(numbers: Mapping[str, Tensor], step: int) -> Tensor:
    """`factor` returns 1/(1 + k/length) [E, 1, 1, 1] at step k."""
    return 1 / (1 + step / numbers["schedule.length"])
