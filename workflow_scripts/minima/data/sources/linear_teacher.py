"""A gaussian linear teacher."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from minima.data.pool import Pool
from minima.plan.options import LATER
from minima.plan.recipes import LABELS, Facts, Labels, Normalize, Recipe


class LinearTeacher(Recipe):
    """Y = XΘ + noise with no more rows than features and normal Θ, redrawn with the split. The test
    rows are the unit vectors and Θ: with as many as features, predictions there are the whole of a linear
    network, and its error is the expected one over isotropic inputs."""

    targets = "values"
    facts = Facts("Gaussian linear teacher")

    labels: Labels = Field("value", description=LABELS)
    normalize: Normalize = Field("none", description="none: the spectrum is the point of this source.")
    dimension: int = Field(400, ge=2, description="Number of input features.")
    outputs: int = Field(1, ge=1, description="Number of targets.")
    spectrum: Literal["flat", "random", "even"] = Field(
        "flat",
        description="Of X: flat (all singular values 1), random (entries N(0, 1/features)) or even (singular "
        "values at equal distances from 1 to √condition).",
    )
    condition: float = Field(
        1.0,
        ge=1,
        description="Of XᵀX, where the spectrum is even: its largest eigenvalue over its least.",
        json_schema_extra=LATER,
    )
    teacher_scale: float | None = Field(
        None,
        gt=0,
        description="Standard deviation of Θ's entries; null: 1/√features.",
        json_schema_extra=LATER,
    )
    noise: float = Field(0.01, ge=0, description="Standard deviation of the noise in the training targets.")

    def row_shape(self) -> tuple[int, ...]:
        return (self.dimension,)

    def output_count(self) -> int:
        return self.outputs

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        if self.train_size > self.dimension or self.test_size > self.dimension:
            yield f"linear_teacher has at most as many rows as features, {self.dimension}"
        if self.normalize != "none":
            yield "linear_teacher needs normalize: none"
        if self.condition != 1 and self.spectrum != "even":
            yield f"condition is of spectrum: even, not {self.spectrum}"


def draw(recipe: LinearTeacher, split: int) -> Pool:
    """`draw` returns Y = XΘ + noise; the test rows are unit vectors, and their targets Θ."""
    import numpy as np

    from minima.data.exact import orthonormalized, product
    from minima.streams import stream

    theta = stream(split, "teacher").standard_normal((recipe.dimension, recipe.outputs))
    if recipe.teacher_scale is None:
        theta /= np.sqrt(recipe.dimension)
    else:
        theta *= recipe.teacher_scale
    x = stream(split, "split").standard_normal((recipe.train_size, recipe.dimension))
    if recipe.spectrum == "flat":
        x, _ = orthonormalized(x)
    elif recipe.spectrum == "random":
        x /= np.sqrt(recipe.dimension)
    else:
        rows = len(x)
        basis, _ = orthonormalized(stream(split, "spectrum").standard_normal((rows, rows)))
        sizes = np.linspace(1, np.sqrt(recipe.condition), rows)
        x = product(basis * sizes, orthonormalized(x)[0])
    noise = recipe.noise * stream(split, "noise").standard_normal((recipe.train_size, recipe.outputs))
    test = np.eye(recipe.test_size, recipe.dimension)
    return Pool(x, product(x, theta) + noise, test, theta[: recipe.test_size])
