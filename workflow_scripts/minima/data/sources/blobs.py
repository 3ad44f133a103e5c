"""Two gaussian blobs in the plane."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from minima.data.pool import Pool, drawn
from minima.plan.recipes import NORMALIZE, Facts, Normalize, Recipe

if TYPE_CHECKING:
    from numpy import ndarray
    from numpy.random import Generator


class Blobs(Recipe):
    """Two gaussian blobs in the plane, at x₁ = ±1."""

    facts = Facts("Two gaussian blobs in the plane", shape=(2,))

    spread: float = Field(0.5, gt=0, description="Standard deviation of a blob.")
    normalize: Normalize = Field("none", description=NORMALIZE)


def draw(recipe: Blobs, split: int) -> Pool:
    """`draw` returns points of class 0 around (−1, 0) and of class 1 around (1, 0), as many of each."""
    import numpy as np

    def rows(count: int, draw: Generator) -> tuple[ndarray, ndarray]:
        labels = np.arange(count) % 2
        centres = np.column_stack([2.0 * labels - 1, np.zeros(count)])
        return centres + recipe.spread * draw.standard_normal((count, 2)), labels

    return drawn(recipe, split, rows)
