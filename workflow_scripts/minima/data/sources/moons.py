"""Two interleaved half circles in the plane."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from minima.data.pool import Pool, drawn
from minima.plan.recipes import NORMALIZE, Facts, Normalize, Recipe

if TYPE_CHECKING:
    from numpy import ndarray
    from numpy.random import Generator


class Moons(Recipe):
    """Two interleaved half circles of radius 1 in the plane."""

    facts = Facts("Two interleaved half circles in the plane", shape=(2,))

    spread: float = Field(0.1, ge=0, description="Standard deviation of the noise.")
    normalize: Normalize = Field("none", description=NORMALIZE)


def draw(recipe: Moons, split: int) -> Pool:
    """`draw` returns points on the upper half of the circle around (−½, −¼) and, as many, on the lower half
    of that around (½, ¼)."""
    import numpy as np

    def rows(count: int, draw: Generator) -> tuple[ndarray, ndarray]:
        labels = np.arange(count) % 2
        # Directions of gaussian vectors are uniform, and need no cosine: its last bit is the C library's.
        circle = draw.standard_normal((count, 2))
        circle /= np.linalg.norm(circle, axis=1, keepdims=True)
        upper = np.column_stack([circle[:, 0] - 0.5, np.abs(circle[:, 1]) - 0.25])
        points = upper * (1 - 2.0 * labels)[:, None]
        return points + recipe.spread * draw.standard_normal((count, 2)), labels

    return drawn(recipe, split, rows)
