"""Two interleaved half circles in the plane."""

from typing import TYPE_CHECKING

import numpy as np

from minima.data.plane import draw_plane
from minima.data.pool import Pool

if TYPE_CHECKING:
    from minima.plan.recipes import Moons


def draw(recipe: "Moons", split: int) -> Pool:
    """`draw` returns points on the upper half of the circle around (−½, −¼) and on the lower half of that
    around (½, ¼)."""

    def rows(labels: np.ndarray, draw: np.random.Generator) -> np.ndarray:
        # Directions of gaussian vectors are uniform, and need no cosine: its last bit is the C library's.
        circle = draw.standard_normal((len(labels), 2))
        circle /= np.linalg.norm(circle, axis=1, keepdims=True)
        upper = np.column_stack([circle[:, 0] - 0.5, np.abs(circle[:, 1]) - 0.25])
        return upper * (1 - 2.0 * labels)[:, None] + recipe.spread * draw.standard_normal((len(labels), 2))

    return draw_plane(recipe, split, rows)
