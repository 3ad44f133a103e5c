"""Random-effects means against numbers that others have published and against the likelihood itself."""

import math

import numpy as np
import pytest
from scipy import optimize, stats

from minima.findings.random_effects import random_effects
from minima.findings.stats import Interval, Sample, standard_error, student

# The thirteen trials of the BCG vaccine (Colditz et al. 1994): cases and others, vaccinated and not.
BCG = [
    (4, 119, 11, 128),
    (6, 300, 29, 274),
    (3, 228, 11, 209),
    (62, 13536, 248, 12619),
    (33, 5036, 47, 5761),
    (180, 1361, 372, 1079),
    (8, 2537, 10, 619),
    (505, 87886, 499, 87892),
    (29, 7470, 45, 7232),
    (17, 1699, 65, 1600),
    (186, 50448, 141, 27197),
    (5, 2493, 3, 2338),
    (27, 16886, 29, 17825),
]


def log_risk_ratios() -> tuple[list[float], list[float]]:
    found = []
    for a, b, c, d in BCG:
        error = math.sqrt(1 / a - 1 / (a + b) + 1 / c - 1 / (c + d))
        found.append((math.log(a / (a + b) * (c + d) / c), error))
    return [y for y, _ in found], [s for _, s in found]


def test_it_finds_what_is_published_of_the_vaccine_trials():
    """τ² = 0.318 by Paule and Mandel, μ = −0.715 with a standard error of 0.181 (Viechtbauer's metafor)."""
    found = random_effects(*log_risk_ratios())
    assert found.between**2 == pytest.approx(0.318, abs=5e-4)
    assert found.mean == pytest.approx(-0.715, abs=5e-4)
    assert found.high - found.mean == pytest.approx(stats.t(12).ppf(0.975) * 0.181, rel=3e-3)
    assert found.n == 13


def test_it_is_near_the_most_likely():
    """Restricted likelihood, by a search over τ² alone, is another estimate of the same: 0.313 in print."""
    y, s = map(np.array, log_risk_ratios())

    def surprise(between: float) -> float:
        w = 1 / (s**2 + between)
        mean = w @ y / w.sum()
        return (-np.log(w).sum() + np.log(w.sum()) + w @ (y - mean) ** 2) / 2

    most_likely = optimize.minimize_scalar(surprise, bounds=(0, 3), method="bounded").x
    assert most_likely == pytest.approx(0.313, abs=5e-4)
    assert random_effects(y, s).between ** 2 == pytest.approx(most_likely, rel=0.02)


def test_equal_errors_give_the_plain_mean_and_its_t_interval():
    """With one error s, τ² is the variance of the estimates less s², and the interval is Student's."""
    y = np.array([0.9, 1.4, 1.1, 0.3, 1.6])
    found = random_effects(y, np.full(5, 0.2))
    plain = student(Sample(y, np.arange(5)))
    assert found.between**2 == pytest.approx(y.var(ddof=1) - 0.2**2)
    assert (found.mean, found.low, found.high) == pytest.approx((plain.estimate, plain.low, plain.high))
    new = stats.t(3).ppf(0.975) * math.sqrt(y.var(ddof=1) - 0.2**2 + y.var(ddof=1) / 5)
    assert (found.new_low, found.new_high) == pytest.approx((y.mean() - new, y.mean() + new))


def test_data_sets_that_agree_have_no_variance_between_them_and_no_narrower_interval():
    """Where estimates are nearer than their errors allow, the errors still count."""
    found = random_effects([1.0, 1.001, 0.999, 1.0], [0.5] * 4)
    assert found.between == 0
    assert found.high - found.low == pytest.approx(2 * stats.t(3).ppf(0.975) * 0.5 / 2)


def test_less_than_three_have_none():
    """An estimate without an interval does not count, nor one of no width."""
    assert random_effects([1.0, 2.0], [0.1, 0.1]) is None
    assert random_effects([1.0, 2.0, 3.0, 4.0], [0.1, 0.1, math.nan, 0.0]) is None
    assert random_effects([], []) is None
    assert random_effects([1.0, 2.0, 3.0], [0.1, 0.1, 0.1]).n == 3


def test_unit_and_origin_do_not_matter():
    y, s = map(np.array, log_risk_ratios())
    found, moved = random_effects(y, s), random_effects(1e6 * y + 5, 1e6 * s)
    assert moved.mean == pytest.approx(1e6 * found.mean + 5)
    assert moved.between == pytest.approx(1e6 * found.between)
    assert moved.new_low == pytest.approx(1e6 * found.new_low + 5)


def test_a_standard_error_is_read_off_an_interval():
    values = np.array([0.2, 0.5, 0.1, 0.9])
    assert standard_error(student(Sample(values, np.arange(4)))) == pytest.approx(
        values.std(ddof=1) / math.sqrt(4)
    )
    assert standard_error(Interval(0.5, 0.5, 0.5, 3)) == 0
