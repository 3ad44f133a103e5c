"""What a model binds to memory that stays where it is: passes over blocks of points."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

Call = Callable[[], Any]


@dataclass
class Block:
    """`Block` holds the calls of a pass over some points, forward and back."""

    points: slice
    forward: list[Call] = field(default_factory=list)
    backward: list[Call] = field(default_factory=list)


@dataclass(frozen=True)
class Memory:
    """`Memory` is what a pass works on: weights [B, out, in] and their gradients, None where none is wanted;
    points x [B, n, d] as the model has `prepared` them; f and ∂L/∂f [B, outputs, n]. `fixed` says that the
    points stay the same from step to step."""

    weights: Sequence[Tensor]
    gradients: Sequence[Tensor | None]
    x: Tensor
    f: Tensor
    delta: Tensor
    fixed: bool
