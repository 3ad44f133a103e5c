"""Down at fractions of the whole training: factor^(number of milestones that have passed)."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor


def schedule(options: Mapping[str, Any], last: int) -> Callable[[Mapping[str, Tensor], int], Tensor]:
    """`schedule` returns the function of (numbers, k) that multiplies η; `options["at"]` are fractions of the
    last step."""
    steps = [part * last for part in options["at"]]

    def factor(numbers: Mapping[str, Tensor], step: int) -> Tensor:
        return numbers["schedule.factor"] ** sum(step >= passed for passed in steps)

    return factor
