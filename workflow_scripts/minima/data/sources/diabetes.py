"""Diabetes progression, embedded in scikit-learn."""

from pydantic import Field

from minima.data.embedded import load
from minima.plan.recipes import LABELS, Facts, Labels, Recipe

__all__ = ["Diabetes", "load"]


class Diabetes(Recipe):
    """Diabetes progression, 442 rows, 10 features, a real target."""

    targets = "values"
    facts = Facts(
        "Diabetes progression",
        "Efron, Hastie, Johnstone and Tibshirani (2004), as embedded in scikit-learn",
        "as distributed with scikit-learn",
        shape=(10,),
        rows=442,
    )

    labels: Labels = Field("value", description=LABELS)
