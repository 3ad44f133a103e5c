"""Half a cosine: (1 + cos(π k/length))/2, 0 after that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import pi
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from minima.plan.optimizers import Schedule
from minima.plan.options import VARIES

if TYPE_CHECKING:
    from torch import Tensor


class Cosine(Schedule):
    """η falls to 0 as half a cosine over `length` steps."""

    kind: Literal["cosine"] = Field("cosine", description="η · (1 + cos(π k/length))/2.")
    length: int = Field(ge=1, description="Steps until η is 0.", json_schema_extra=VARIES)


def schedule(options: Mapping[str, Any], last: int) -> Callable[[Mapping[str, Tensor], int], Tensor]:
    """`schedule` returns the function of (numbers, k) that multiplies η."""
    return factor


def factor(numbers: Mapping[str, Tensor], step: int) -> Tensor:
    """`factor` returns (1 + cos(π k/length))/2 [E, 1, 1, 1] at step k ≤ length, then 0."""
    import torch

    return (1 + torch.cos(pi * (step / numbers["schedule.length"]).clamp(max=1))) / 2
