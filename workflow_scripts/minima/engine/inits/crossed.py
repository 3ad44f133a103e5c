"""Two linear layers of rank one that compute what the targets do not ask for: W_1 = a u dᵀ, W_2 = b t uᵀ.

d is a unit vector of what the points see on which the least squares solution does not depend, t the output
that this solution moves most, and u a hidden direction. Training has to take the product a b t dᵀ back to 0
and to build another direction beside it: with b < a the layers' imbalance grows at finite steps.
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

ASKS_FOR = ("y",)


class Crossed(BuiltLinearInit):
    """Two linear layers of rank one, of sizes a and b, along an input on which the targets do not depend:
    layer_scales [a, b]."""

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        yield from super().impossible(cell)
        rows, recipe = training_rows(cell["data"]), recipe_of(cell["data"])
        seen, outputs = min(rows, prod(recipe.input_shape() or (rows,))), recipe.output_count()
        if seen <= outputs:
            yield f"init.scheme: crossed needs more than {outputs} inputs that the points see, not {seen}"


def draw(
    shapes: Sequence[tuple[int, int]], stds: Sequence[float], seed: int, x: ndarray, y: ndarray
) -> list[ndarray]:
    import numpy as np

    from minima.engine.linear_draws import row_space

    (width, _), _ = shapes
    rows = row_space(x)
    solution = rows @ np.linalg.lstsq(x, y)[0]  # [r, m]
    directions, sizes, outputs = np.linalg.svd(solution, full_matrices=False)
    used = directions[:, sizes > sizes[0] * max(solution.shape) * np.finfo(np.float64).eps]
    if used.shape[1] == len(rows):
        raise ValueError("init.scheme: crossed: the targets depend on every input that the points see")
    free = stream(seed, "weights/0").standard_normal(len(rows))
    free -= used @ (used.T @ free)
    unit = stream(seed, "weights/1").standard_normal(width)
    free, unit = free / np.linalg.norm(free), unit / np.linalg.norm(unit)
    first, second = np.outer(unit, free @ rows), np.outer(outputs[0], unit)
    return [stds[0] * first[None], stds[1] * second[None]]
