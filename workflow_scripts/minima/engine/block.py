"""A pass over a block of points, as a model binds it to memory that stays where it is."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Call = Callable[[], Any]


@dataclass
class Block:
    """`Block` holds the calls of a pass over some points, forward and back."""

    points: slice
    forward: list[Call] = field(default_factory=list)
    backward: list[Call] = field(default_factory=list)
