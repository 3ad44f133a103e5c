"""A start at the end of another cell: its parameters, and running statistics where its model has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from minima.plan.inits import StartingInit

if TYPE_CHECKING:
    from numpy import ndarray


class Pretrained(StartingInit):
    """Start where a cell of another block of the study ended: its whole state, of the same seed."""

    BEGINS = "pretrained"


def start(model: Any, options: Mapping[str, Any], seed: int, x: ndarray | None = None) -> list[ndarray]:
    """`start` returns the tensors of the trained state that the options hold; seed and points x do not
    matter."""
    import numpy as np

    shapes = [(1, *shape) for shape in model.weight_shapes]
    ends = np.cumsum([np.prod(shape) for shape in shapes])
    state = np.asarray(options["state"], dtype=np.float64)
    if len(state) != ends[-1]:
        raise ValueError(
            f"the network to start from has {len(state)} parameters, and this one {ends[-1]}: "
            "both blocks need the same network, rows of the same shape and as many outputs"
        )
    parts = np.split(state, ends[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
