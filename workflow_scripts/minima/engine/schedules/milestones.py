"""Down at fractions of the whole training: factor^(number of milestones that have passed)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from minima.plan.optimizers import Schedule
from minima.plan.options import VARIES

if TYPE_CHECKING:
    from torch import Tensor


class Milestones(Schedule):
    """η is multiplied by `factor` at fractions of the whole training."""

    at: list[Annotated[float, Field(gt=0, lt=1)]] = Field(
        [0.5, 0.75], min_length=1, description="Fractions of stop.max_steps."
    )
    factor: float = Field(0.1, gt=0, lt=1, description="What η is multiplied by.", json_schema_extra=VARIES)


def schedule(options: Mapping[str, Any], last: int) -> Callable[[Mapping[str, Tensor], int], Tensor]:
    """`schedule` returns the function of (numbers, k) that multiplies η; `options["at"]` are fractions of the
    last step."""
    steps = [part * last for part in options["at"]]

    def factor(numbers: Mapping[str, Tensor], step: int) -> Tensor:
        return numbers["schedule.factor"] ** sum(step >= passed for passed in steps)

    return factor
