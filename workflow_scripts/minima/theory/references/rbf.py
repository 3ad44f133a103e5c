"""Kernel regression with exp(−γ‖x − x'‖²): the null that the tangent kernel must beat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from minima.plan.references import KernelRegression

if TYPE_CHECKING:
    import numpy as np


class Rbf(KernelRegression):
    """Gaussian kernel exp(−γ‖x − x'‖²)."""

    gamma: list[Annotated[float, Field(gt=0)]] | None = Field(
        None, min_length=1, description="Inverse squared lengths γ; null: 1/features."
    )


def choices(options: Mapping[str, Any], features: int) -> list[dict[str, float]]:
    """`choices` returns each γ."""
    return [{"gamma": gamma} for gamma in options.get("gamma") or [1 / features]]


def kernel(x1: np.ndarray, x2: np.ndarray | None, *network: Any, gamma: float) -> np.ndarray:
    """`kernel` returns exp(−γ‖x − x'‖²) [n1, n2]."""
    import numpy as np

    other = x1 if x2 is None else x2
    squared = (x1**2).sum(1)[:, None] - 2 * x1 @ other.T + (other**2).sum(1)
    if x2 is None:  # 0, which rounding makes a little more or less
        np.fill_diagonal(squared, 0)
    return np.exp(-gamma * squared.clip(min=0))
