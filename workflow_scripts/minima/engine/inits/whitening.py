"""Two linear layers, of which the first undoes the inputs' spectrum: W_1 = a Q (xᵀx)^{−½}, Q of orthonormal
columns on what the points see, W_2 ~ N(0, b²).

With W_2 small the tangent kernel x W_1ᵀW_1 xᵀ is a² times one: every mode falls at the same rate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from minima.plan.files import training_rows
from minima.plan.inits import BuiltLinearInit
from minima.plan.recipes import recipe_of
from minima.streams import stream

if TYPE_CHECKING:
    from numpy import ndarray


class Whitening(BuiltLinearInit):
    """Two linear layers, the first a Q (xᵀx)^{−½}, Q with orthonormal columns, the second N(0, b²):
    layer_scales [a, b]."""

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        yield from super().impossible(cell)
        rows = training_rows(cell["data"])
        least = min(rows, prod(recipe_of(cell["data"]).input_shape() or (rows,)))
        if (width := cell["network"].get("width", least)) < least:
            yield f"init.scheme: whitening needs a width of {least}, the rank of the inputs, not {width}"


def draw(shapes: Sequence[tuple[int, int]], stds: Sequence[float], seed: int, x: ndarray) -> list[ndarray]:
    import numpy as np

    (width, _), second = shapes
    _, roots, rows = np.linalg.svd(x, full_matrices=False)
    rank = int((roots > roots[0] * max(x.shape) * np.finfo(np.float64).eps).sum())
    columns = np.linalg.qr(stream(seed, "weights/0").standard_normal((width, rank))).Q
    first = stds[0] * columns @ (rows[:rank] / roots[:rank, None])
    return [first[None], stds[1] * stream(seed, "weights/1").standard_normal((1, *second))]
