"""How the step size changes with the steps: a factor per network [E, 1, 1, 1] at step k = 0, 1, 2 …"""

from collections.abc import Callable, Mapping, Sequence
from math import pi

import torch
from torch import Tensor

Schedule = Callable[[Mapping[str, Tensor], int], Tensor | float]


def constant(numbers: Mapping[str, Tensor], step: int) -> float:
    return 1.0


def step(numbers: Mapping[str, Tensor], step: int) -> Tensor:
    """factor^⌊k/length⌋."""
    return numbers["schedule.factor"] ** torch.floor(step / numbers["schedule.length"])


def cosine(numbers: Mapping[str, Tensor], step: int) -> Tensor:
    """(1 + cos(π k/length))/2, 0 after that."""
    return (1 + torch.cos(pi * (step / numbers["schedule.length"]).clamp(max=1))) / 2


def inverse(numbers: Mapping[str, Tensor], step: int) -> Tensor:
    """1/(1 + k/length)."""
    return 1 / (1 + step / numbers["schedule.length"])


def milestones(at: Sequence[float]) -> Schedule:
    """factor^(number of the steps `at` that have passed)."""

    def schedule(numbers: Mapping[str, Tensor], step: int) -> Tensor:
        return numbers["schedule.factor"] ** sum(step >= passed for passed in at)

    return schedule


SCHEDULES: dict[str, Schedule] = {"constant": constant, "step": step, "cosine": cosine, "inverse": inverse}
