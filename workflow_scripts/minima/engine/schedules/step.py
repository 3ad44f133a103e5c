"""Steps down: factor^⌊k/length⌋."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from minima.plan.optimizers import Schedule
from minima.plan.options import VARIES

if TYPE_CHECKING:
    from torch import Tensor


class Step(Schedule):
    """η is multiplied by `factor` every `length` steps."""

    length: int = Field(ge=1, description="Steps between two changes.", json_schema_extra=VARIES)
    factor: float = Field(0.1, gt=0, lt=1, description="What η is multiplied by.", json_schema_extra=VARIES)


def schedule(options: Mapping[str, Any], last: int) -> Callable[[Mapping[str, Tensor], int], Tensor]:
    """`schedule` returns the function of (numbers, k) that multiplies η."""
    return factor


def factor(numbers: Mapping[str, Tensor], step: int) -> Tensor:
    """`factor` returns factor^⌊k/length⌋ [E, 1, 1, 1] at step k."""
    import torch

    return numbers["schedule.factor"] ** torch.floor(step / numbers["schedule.length"])
