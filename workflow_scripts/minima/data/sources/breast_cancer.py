"""Breast cancer Wisconsin, embedded in scikit-learn."""

from minima.data.embedded import load
from minima.plan.recipes import Recipe, uci

__all__ = ["BreastCancer", "load"]


class BreastCancer(Recipe):
    """Breast cancer Wisconsin, 569 rows, 30 features, 2 classes."""

    facts = uci("Breast cancer Wisconsin (diagnostic)", (30,), [212, 357])
