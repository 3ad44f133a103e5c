"""Iris plants, embedded in scikit-learn."""

from minima.data.embedded import load
from minima.plan.recipes import Recipe, uci

__all__ = ["Iris", "load"]


class Iris(Recipe):
    """Iris plants, 150 rows, 4 features, 3 classes."""

    facts = uci("Iris plants", (4,), [50, 50, 50])
