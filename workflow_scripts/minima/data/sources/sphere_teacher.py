"""A random two-layer ReLU teacher on the unit sphere."""

from typing import TYPE_CHECKING

import numpy as np

from minima.data.exact import product
from minima.data.pool import Pool
from minima.streams import stream

if TYPE_CHECKING:
    from minima.plan.recipes import SphereTeacher


def draw(recipe: "SphereTeacher", split: int) -> Pool:
    """`draw` returns exactly the rows asked for: points on the unit sphere and a teacher's targets.

    The teacher is √(2/m) Σ_k a_k relu(w_k·x) with gaussian a and w, so that targets have variance of order 1.
    """
    teacher = stream(split, "teacher")
    weights = teacher.standard_normal((recipe.teacher_width, recipe.dimension))
    signs = teacher.standard_normal(recipe.teacher_width) * np.sqrt(2 / recipe.teacher_width)

    def rows(count: int, name: str) -> tuple[np.ndarray, np.ndarray]:
        x = stream(split, name).standard_normal((count, recipe.dimension))
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        return x, product(np.maximum(product(x, weights.T), 0), signs[:, None])

    # Two streams: more training points leave the test points as they are.
    x, y = rows(recipe.train_size, "split")
    return Pool(x, y, *rows(recipe.test_size, "split_test"), shape=(recipe.dimension,))
