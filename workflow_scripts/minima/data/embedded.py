"""The tables that are embedded in scikit-learn."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from minima.data.pool import Pool

if TYPE_CHECKING:
    from minima.plan.recipes import Recipe


def load(recipe: "Recipe", data_dir: Path) -> Pool:
    """`load` returns the table of the recipe's source."""
    from sklearn import datasets  # takes a second

    x, y = getattr(datasets, f"load_{recipe.source}")(return_X_y=True)
    y = y.astype(np.int64) if recipe.targets == "classes" else y.astype(np.float64)[:, None]
    return Pool(x, y, shape=recipe.facts.shape)
