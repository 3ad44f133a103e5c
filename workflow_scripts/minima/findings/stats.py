"""Estimates with intervals over the unit of replication.

Examples:
    Ten seeds of ten inside a region are a share of at least 0.69, at 95 %:

    >>> [round(edge, 3) for edge in clopper_pearson(10, 10)]
    [0.692, 1.0]

`scipy.stats` takes most of a second to import: where it is not needed, a figure does without.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv, stdtrit

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
    """A `Sample` is what an estimand finds: values, whose they are, and how units are summed up.

    values [n, ...]; owners [n]: what each is of, equal where several are replicates of one unit; statistic:
    unit means of any number of units [units, ...] → a number; note: what was left out, in words.
    """

    values: NDArray
    owners: NDArray
    statistic: Callable[[NDArray], float] = field(default=_mean)
    note: str = ""

    def rebuilt(self, values: NDArray, statistic: Callable[[NDArray], float] = _mean) -> "Sample":
        """`rebuilt` returns other values [n, ...] of the same owners, summed up by another statistic."""
        return replace(self, values=values, statistic=statistic)

    def pooled(self, units: Mapping[Any, Any]) -> "Sample":
        """`pooled` returns the sample with each owner's unit for the owner, where that is another: a data
        set for the seeds that share it."""
        return replace(self, owners=np.array([units.get(owner, owner) for owner in self.owners.tolist()]))

    @property
    def units(self) -> list[NDArray]:
        """The rows of `values` that belong to each unit."""
        return [np.flatnonzero(self.owners == unit) for unit in np.unique(self.owners)]

    @property
    def unit_means(self) -> NDArray:
        """The mean of each unit's values [units, ...]."""
        means = [self.values[rows].mean(axis=0) for rows in self.units]
        return np.array(means) if means else self.values


def student(sample: Sample, level: float = 0.95) -> Interval:
    """`student` returns Student's interval of the statistic over the units that are finite.

    Its standard error is the jackknife's, s² = (n − 1)/n Σ(θ₋ᵢ − θ̄)², θ₋ᵢ the statistic without unit i. Of
    a mean, and of a least-squares slope, which is the mean of the units' own slopes, that is the usual one:
    s/√n of the units' values.
    """
    units = sample.unit_means
    units = units[np.isfinite(units).all(axis=tuple(range(1, units.ndim)))]
    n = len(units)
    estimate = sample.statistic(units) if n else np.nan
    if n < 2:
        return Interval(estimate, np.nan, np.nan, n)
    without = np.array([sample.statistic(np.delete(units, unit, axis=0)) for unit in range(n)])
    spread = np.ptp(without)
    error = np.sqrt((n - 1) * without.var()) if spread > 1e-13 * abs(estimate) or np.isnan(spread) else 0.0
    half = float(stdtrit(n - 1, (1 + level) / 2) * error)
    return Interval(estimate, estimate - half, estimate + half, n)


def standard_error(interval: Interval, level: float = 0.95) -> float:
    """`standard_error` returns the standard error that `student`'s interval was made of."""
    return float((interval.high - interval.low) / (2 * stdtrit(max(interval.n - 1, 1), (1 + level) / 2)))


def mean_interval(values: ArrayLike, level: float = 0.95) -> Interval:
    """`mean_interval` returns Student's interval of the mean of the finite values, as figures draw it.

    Where all are positive it is that of the mean's logarithm, m·exp(±t s/(√n m)): positive too, as a
    logarithmic axis needs, and of skewed values nearer to its 95 %.
    """
    values = np.asarray(values, dtype=np.float64).ravel()
    values = values[np.isfinite(values)]
    found = student(Sample(values, np.arange(len(values))), level)
    if len(values) < 2 or values.min() <= 0:
        return found
    factor = np.exp(found.high / found.estimate - 1)
    return found._replace(low=float(found.estimate / factor), high=float(found.estimate * factor))


def bootstrap_interval(sample: Sample, level: float = 0.95) -> Interval:
    """BCa interval of the sample's statistic, whole units resampled; the same resamples at every call.

    The units that are drawn are summed in the order of the sample, so that the order of a draw, which
    changes the last bit of a sum, does not decide which of two nearly equal resamples is the end.
    """
    from scipy import stats

    units = sample.unit_means
    n = len(units)
    estimate = sample.statistic(units) if n else np.nan
    if n < 2:
        return Interval(estimate, np.nan, np.nan, n)

    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)  # NaN says it, and what follows
        found = stats.bootstrap(
            (np.arange(n),),
            lambda drawn: sample.statistic(units[np.sort(drawn)]),
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
    means = sample.unit_means.astype(np.float64)
    return Interval(float(means.mean()), float(values.min()), float(values.max()), len(means))


def units_inside(sample: Sample, low: float, high: float) -> int:
    """`units_inside` returns how many units have all of their values in [low, high]."""
    within = (sample.values >= low) & (sample.values <= high)
    return sum(bool(within[rows].all()) for rows in sample.units)


def clopper_pearson(count: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """`clopper_pearson` returns the exact interval of a probability, seen `count` times in `n`."""
    tail = (1 - level) / 2
    low = float(betaincinv(count, n - count + 1, tail)) if count else 0.0
    high = float(betaincinv(count + 1, n - count, 1 - tail)) if count < n else 1.0
    return low, high
