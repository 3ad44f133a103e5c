"""The tables that are embedded in scikit-learn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from minima.data.pool import Pool

if TYPE_CHECKING:
    from minima.plan.recipes import Recipe


def load(recipe: Recipe, data_dir: Path) -> Pool:
    """`load` returns the table of the recipe's source."""
    from sklearn import datasets  # takes a second

    x, y = getattr(datasets, f"load_{recipe.source}")(return_X_y=True)
    return Pool(x, y.astype("int64" if recipe.facts.class_rows else "float64"))
