"""Two classes in a cone: times its label, every point has the same cosine to every other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from minima.data.pool import Pool
from minima.plan.recipes import NORMALIZE, Facts, Normalize, Recipe

if TYPE_CHECKING:
    from numpy import ndarray


class Cone(Recipe):
    """Unit vectors y x = √μ u + √(1 − μ) e with y = ±1: u and the training rows' e are orthonormal, redrawn
    with the split, so that ⟨y x, y'x'⟩ = μ for every two of them; the test rows' e are any across u."""

    facts = Facts("Two classes in a cone")

    cosine: float = Field(
        ge=0, lt=1, description="μ: of the training rows, times their labels, to each other."
    )
    dimension: int | None = Field(
        None, ge=2, description="Number of input features, more than training rows; null: one more."
    )
    positive: float = Field(0.5, ge=0, le=1, description="Share of the rows that are of the class +1.")
    permuted: bool = Field(
        False, description="Permute the labels of the training rows, which then lie in no cone: a control."
    )
    normalize: Normalize = Field("none", description=NORMALIZE)

    def row_shape(self) -> tuple[int, ...]:
        return (self.dimension or self.train_size + 1,)

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        if self.row_shape()[0] <= self.train_size:
            needs = f"more features than training rows, and dimension is {self.dimension}"
            yield f"cone has {needs} for train_size {self.train_size}"


def draw(recipe: Cone, split: int) -> Pool:
    """`draw` returns the rows of both classes, 0 and 1, those of class 1 first."""
    import numpy as np

    from minima.data.exact import orthonormalized
    from minima.streams import stream

    (features,) = recipe.row_shape()
    axis = stream(split, "teacher").standard_normal(features)
    axis /= np.sqrt(np.square(axis).sum())
    across = _across(stream(split, "split").standard_normal((recipe.train_size, features)), axis)
    across = _across(orthonormalized(across)[0], axis)  # again: of near rows rounding has grown
    other = _across(stream(split, "split_test").standard_normal((recipe.test_size, features)), axis)
    other /= np.sqrt(np.square(other).sum(axis=1, keepdims=True))

    def rows(across: ndarray) -> tuple[ndarray, ndarray]:
        labels = (np.arange(len(across)) < round(recipe.positive * len(across))).astype(int)
        in_cone = np.sqrt(recipe.cosine) * axis + np.sqrt(1 - recipe.cosine) * across
        return in_cone * (2.0 * labels - 1)[:, None], labels

    (x, y), test = rows(across), rows(other)
    if recipe.permuted:
        y = stream(split, "permuted_labels").permutation(y)
    return Pool(x, y, *test, classes=(0, 1))


def _across(rows: ndarray, axis: ndarray) -> ndarray:
    """The rows without what they have along a unit vector."""
    from minima.data.exact import product

    return rows - product(rows, axis[:, None]) * axis
