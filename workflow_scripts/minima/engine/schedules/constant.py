"""The same step size throughout."""

from collections.abc import Mapping
from typing import Any


def schedule(options: Mapping[str, Any], last: int) -> None:
    """`schedule` returns None: nothing multiplies η."""
