"""Linear regression, of smallest norm where the ridge is 0: the kernel x·x', of no network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from minima.plan.references import KernelRegression

if TYPE_CHECKING:
    import numpy as np


class MinNorm(KernelRegression):
    """Linear regression, of smallest norm where the ridge is 0."""


def kernel(x1: np.ndarray, x2: np.ndarray | None = None, *network: Any) -> np.ndarray:
    """`kernel` returns x·x' [n1, n2]."""
    return x1 @ (x1 if x2 is None else x2).T


def beside(
    x_train: np.ndarray,
    y_train: np.ndarray,
    x_test: np.ndarray,
    network: tuple,
    options: Mapping[str, Any],
    split: int,
) -> dict[str, tuple[tuple[str, ...], np.ndarray, str]]:
    """`beside` returns the inner products of the training points."""
    found = (("train_point", "other_point"), kernel(x_train), "inner products of the training points")
    return {"products": found}
