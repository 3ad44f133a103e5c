"""Estimates with intervals over the unit of replication.

`scipy.stats` takes most of a second to import: where it is not needed, a figure does without.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from minima.streams import stream

RESAMPLES = 4999


class Interval(NamedTuple):
    """An estimate and its confidence interval from n units; NaN where n is too small."""

    estimate: float
    low: float
    high: float
    n: int


class NotEstimable(ValueError):
    """The dataset does not hold what an estimand needs; the message says what."""


def _mean(units: NDArray) -> float:
    return float(units.mean())


@dataclass(frozen=True)
class Sample:
    """What an estimand finds: units of replication along the first axis, and the statistic of a set of them.

    values [n, ...]; statistic: values of any n → a number; note: what was left out, in words; clusters [n]:
    labels of values that are replicates of one unit, as networks of one data set are; None: each is a unit.
    """

    values: NDArray
    statistic: Callable[[NDArray], float] = field(default=_mean)
    note: str = ""
    clusters: NDArray | None = None

    @property
    def units(self) -> list[NDArray]:
        """The rows of `values` that belong to each unit."""
        if self.clusters is None:
            return [np.array([row]) for row in range(len(self.values))]
        return [np.flatnonzero(self.clusters == label) for label in np.unique(self.clusters)]

    @property
    def unit_means(self) -> NDArray:
        """The mean of each unit's values [units, ...]."""
        means = [self.values[rows].mean(axis=0) for rows in self.units]
        return np.array(means) if means else self.values


def t_interval(values: ArrayLike, level: float = 0.95) -> Interval:
    """Student's interval of the mean of the finite values."""
    values = np.asarray(values, dtype=np.float64).ravel()
    values = values[np.isfinite(values)]
    n = len(values)
    if n == 0:
        return Interval(np.nan, np.nan, np.nan, 0)
    mean = float(values.mean())
    if n == 1:
        return Interval(mean, np.nan, np.nan, 1)
    half = float(stdtrit(n - 1, (1 + level) / 2) * values.std(ddof=1) / np.sqrt(n))
    return Interval(mean, mean - half, mean + half, n)


def bootstrap_mean(values: ArrayLike, level: float = 0.95) -> Interval:
    """BCa interval of the mean of the finite values: positive where they are, as a logarithmic axis needs."""
    values = np.asarray(values, dtype=np.float64).ravel()
    values = values[np.isfinite(values)]
    if len(values) < 2 or np.ptp(values) <= 1e-12 * np.abs(values).max():  # BCa divides by the spread
        mean = float(values.mean()) if len(values) else np.nan
        return Interval(mean, *((mean, mean) if len(values) > 1 else (np.nan, np.nan)), len(values))
    from scipy import stats

    low, high = stats.bootstrap(
        (values,), np.mean, n_resamples=RESAMPLES, confidence_level=level, rng=stream(0, "bootstrap")
    ).confidence_interval
    return Interval(float(values.mean()), float(low), float(high), len(values))


def bootstrap_interval(sample: Sample, level: float = 0.95) -> Interval:
    """BCa interval of the sample's statistic, whole units resampled; the same resamples at every call."""
    from scipy import stats

    units = sample.units
    n = len(units)
    estimate = sample.statistic(sample.values) if n else np.nan
    if n < 2:
        return Interval(estimate, np.nan, np.nan, n)

    def of_units(drawn: NDArray) -> float:
        return sample.statistic(sample.values[np.concatenate([units[unit] for unit in drawn])])

    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)  # NaN says it, and what follows
        found = stats.bootstrap(
            (np.arange(n),),
            of_units,
            n_resamples=RESAMPLES,
            confidence_level=level,
            vectorized=False,
            method="BCa",
            rng=stream(0, "bootstrap"),
        )
    low, high = found.confidence_interval
    if np.ptp(found.bootstrap_distribution) <= 1e-9 * abs(estimate):  # BCa divides by the spread
        low = high = estimate
    return Interval(estimate, float(low), float(high), n)


def extent(sample: Sample) -> Interval:
    """The mean over units between the least and the greatest value: for claims about every one of them."""
    values = sample.values.astype(np.float64)
    if not len(values):
        return Interval(np.nan, np.nan, np.nan, 0)
    return Interval(float(values.mean()), float(values.min()), float(values.max()), len(sample.units))
