"""A random two-layer ReLU teacher on the unit sphere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from minima.data.pool import Pool, drawn
from minima.plan.recipes import LABELS, Facts, Labels, Recipe

if TYPE_CHECKING:
    from numpy import ndarray
    from numpy.random import Generator


class SphereTeacher(Recipe):
    """Uniform points on the unit sphere; targets of a random two-layer ReLU teacher, redrawn with the
    split."""

    targets = "values"
    facts = Facts("Random two-layer ReLU teacher on the unit sphere")

    labels: Labels = Field("value", description=LABELS)
    dimension: int = Field(10, ge=2, description="Number of input features.")
    teacher_width: int = Field(10, ge=1, description="Hidden units of the teacher.")

    def row_shape(self) -> tuple[int, ...]:
        return (self.dimension,)


def draw(recipe: SphereTeacher, split: int) -> Pool:
    """`draw` returns points on the unit sphere and the teacher's targets √(2/m) Σ_k a_k relu(w_k·x) with
    gaussian a and w: of variance of order 1."""
    import numpy as np

    from minima.data.exact import product
    from minima.streams import stream

    teacher = stream(split, "teacher")
    weights = teacher.standard_normal((recipe.teacher_width, recipe.dimension))
    signs = teacher.standard_normal(recipe.teacher_width) * np.sqrt(2 / recipe.teacher_width)

    def rows(count: int, draw: Generator) -> tuple[ndarray, ndarray]:
        x = draw.standard_normal((count, recipe.dimension))
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        return x, product(np.maximum(product(x, weights.T), 0), signs[:, None])

    return drawn(recipe, split, rows)
