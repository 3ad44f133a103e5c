"""The tables that are embedded in scikit-learn."""

from pathlib import Path

from minima.data.pool import Pool
from minima.plan.recipes import Facts, Recipe


def uci(title: str, shape: tuple[int, ...], rows: list[int], largest: float | None = None) -> Facts:
    """`uci` returns the facts of a table of so many rows of each class."""
    origin = "UCI machine learning repository, as embedded in scikit-learn"
    return Facts(title, origin, "CC BY 4.0", shape, largest=largest, class_rows=dict(enumerate(rows)))


def load(recipe: Recipe, data_dir: Path) -> Pool:
    """`load` returns the table of the recipe's source."""
    from sklearn import datasets  # takes a second

    x, y = getattr(datasets, f"load_{recipe.source}")(return_X_y=True)
    return Pool(x, y.astype("int64" if recipe.facts.class_rows else "float64"))
