"""Two classes of points in the plane, drawn anew for every split."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from minima.data.pool import Pool
from minima.streams import stream

if TYPE_CHECKING:
    from minima.plan.recipes import Recipe


def draw_plane(
    recipe: "Recipe", split: int, rows: Callable[[np.ndarray, np.random.Generator], np.ndarray]
) -> Pool:
    """`draw_plane` returns exactly the rows asked for, half of them of each class."""

    def part(count: int, name: str) -> tuple[np.ndarray, np.ndarray]:
        labels = np.arange(count) % 2
        return rows(labels, stream(split, name)), labels

    x, y = part(recipe.train_size, "split")
    return Pool(x, y, *part(recipe.test_size, "split_test"), shape=(2,))
