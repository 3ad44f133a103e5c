"""Two gaussian blobs in the plane."""

from typing import TYPE_CHECKING

import numpy as np

from minima.data.plane import draw_plane
from minima.data.pool import Pool

if TYPE_CHECKING:
    from minima.plan.recipes import Blobs


def draw(recipe: "Blobs", split: int) -> Pool:
    """`draw` returns points of class 0 around (−1, 0) and of class 1 around (1, 0)."""

    def rows(labels: np.ndarray, draw: np.random.Generator) -> np.ndarray:
        centres = np.column_stack([2.0 * labels - 1, np.zeros(len(labels))])
        return centres + recipe.spread * draw.standard_normal((len(labels), 2))

    return draw_plane(recipe, split, rows)
