"""A random-effects mean: what several data sets say together where each has its own truth.

Estimates yᵢ with standard errors sᵢ are yᵢ = μ + bᵢ + eᵢ, b of variance τ² between data sets, e of variance
sᵢ²; weights are wᵢ = 1/(τ² + sᵢ²). τ² is Paule and Mandel's: that at which Σ wᵢ(yᵢ − μ̂)² is what it should
be, k − 1, or 0 where it is less even there. μ has the interval of Hartung, Knapp, Sidik and Jonkman, whose
factor Σ wᵢ(yᵢ − μ̂)²/(k − 1) is 1 by that choice of τ², and is not let below 1 where τ² is 0. A data set to
come has that of Higgins, Thompson and Spiegelhalter.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

LEAST = 3  # data sets, for a variance between them
HALVINGS = 200


class RandomEffects(NamedTuple):
    """`RandomEffects` is a mean over n data sets with its interval, the standard deviation between data sets
    and the interval of a new one."""

    mean: float
    low: float
    high: float
    between: float
    new_low: float
    new_high: float
    n: int


def random_effects(
    estimates: Sequence[float], errors: Sequence[float], level: float = 0.95
) -> RandomEffects | None:
    """`random_effects` returns the summary of estimates with their standard errors, None of fewer than three
    that have one."""
    found = np.array([estimates, errors], dtype=np.float64).reshape(2, -1)
    y, s = found[:, np.isfinite(found).all(axis=0) & (found[1] > 0)]
    n = len(y)
    if n < LEAST:
        return None
    between = _between(y, s**2)
    mean, error, _ = _weighted(y, s**2, between)
    half, reach = (float(stdtrit(n - lost, (1 + level) / 2)) for lost in (1, 2))
    half, reach = half * error, reach * math.sqrt(between + error**2)
    return RandomEffects(mean, mean - half, mean + half, math.sqrt(between), mean - reach, mean + reach, n)


def _between(y: NDArray, variances: NDArray) -> float:
    """Paule and Mandel's τ², by halving: what is sought falls with τ², and is at most k − 1 at the variance
    of the estimates."""
    below, above = 0.0, float(y.var(ddof=1))
    if _weighted(y, variances, below)[2] <= len(y) - 1:
        return 0.0
    for _ in range(HALVINGS):
        middle = (below + above) / 2
        if _weighted(y, variances, middle)[2] > len(y) - 1:
            below = middle
        else:
            above = middle
    return above


def _weighted(y: NDArray, variances: NDArray, between: float) -> tuple[float, float, float]:
    """The weighted mean, its standard error, and the sum of weighted squares about it."""
    weights = 1 / (variances + between)
    mean = float(weights @ y / weights.sum())
    return mean, float(weights.sum() ** -0.5), float(weights @ (y - mean) ** 2)
