"""A gaussian linear teacher."""

from typing import TYPE_CHECKING

import numpy as np

from minima.data.exact import orthonormalized, product
from minima.data.pool import Pool
from minima.streams import stream

if TYPE_CHECKING:
    from minima.plan.recipes import LinearTeacher


def draw(recipe: "LinearTeacher", split: int) -> Pool:
    """`draw` returns exactly the rows asked for: Y = XΘ + noise; the test rows are unit vectors, and
    their targets Θ."""
    theta = stream(split, "teacher").standard_normal((recipe.dimension, recipe.outputs))
    theta /= np.sqrt(recipe.dimension)
    x = stream(split, "split").standard_normal((recipe.train_size, recipe.dimension))
    if recipe.spectrum == "flat":
        x, _ = orthonormalized(x)
    else:
        x /= np.sqrt(recipe.dimension)
    noise = recipe.noise * stream(split, "noise").standard_normal((recipe.train_size, recipe.outputs))
    y = product(x, theta) + noise
    test = np.eye(recipe.test_size, recipe.dimension)
    return Pool(x, y, test, theta[: recipe.test_size], shape=(recipe.dimension,))
