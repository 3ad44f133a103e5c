"""The same step size throughout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minima.plan.optimizers import Schedule


class Constant(Schedule):
    """The same step size throughout."""


def schedule(options: Mapping[str, Any], last: int) -> None:
    """`schedule` returns None: nothing multiplies η."""
