"""Breast cancer Wisconsin, embedded in scikit-learn."""

from typing import Literal

from pydantic import Field

from minima.data.embedded import load
from minima.plan.recipes import Recipe, uci

__all__ = ["BreastCancer", "load"]


class BreastCancer(Recipe):
    source: Literal["breast_cancer"] = Field(
        description="Breast cancer Wisconsin, 569 rows, 30 features, 2 classes."
    )
    facts = uci("Breast cancer Wisconsin (diagnostic)", (30,), [212, 357])
