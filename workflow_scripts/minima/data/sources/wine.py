"""Wine recognition, embedded in scikit-learn."""

from minima.data.embedded import load
from minima.plan.recipes import Recipe, uci

__all__ = ["Wine", "load"]


class Wine(Recipe):
    """Wine recognition, 178 rows, 13 features, 3 classes."""

    facts = uci("Wine recognition", (13,), [59, 71, 48])
