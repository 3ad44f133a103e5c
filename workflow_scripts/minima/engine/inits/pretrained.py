"""A start at the end of another cell: its parameters, and running statistics where its model has them."""

from collections.abc import Mapping
from math import prod
from typing import Any, NamedTuple

import numpy as np


class Pretrained(NamedTuple):
    """`Pretrained` is a scheme whose `start` takes the trained state from the options."""

    readout: tuple[float, ...] = (1.0,)
    centred: bool = False

    def start(
        self, model: Any, options: Mapping[str, Any], seed: int, x: np.ndarray | None = None
    ) -> list[np.ndarray]:
        """`start` returns one array [1, out, in] per tensor; seed and points x do not matter."""
        shapes = [(1, *shape) for shape in model.weight_shapes]
        sizes = [prod(shape) for shape in shapes]
        state = np.asarray(options["state"], dtype=np.float64)
        if len(state) != sum(sizes):
            raise ValueError(
                f"the network to start from has {len(state)} parameters, and this one {sum(sizes)}: "
                "both blocks need the same network, rows of the same shape and as many outputs"
            )
        parts = np.split(state, np.cumsum(sizes)[:-1])
        return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


SCHEME = Pretrained()
