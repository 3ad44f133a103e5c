"""Intervals: right by hand, right in coverage, and honest where there is too little to say."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from minima.findings import stats
from minima.findings.stats import (
    Sample,
    bootstrap_interval,
    clopper_pearson,
    extent,
    mean_interval,
    student,
    units_inside,
)
from minima.plan.register import LEAST_FOR_BOOTSTRAP

pytestmark = pytest.mark.filterwarnings("error")
VALUES = [2.0, 4.0, 4.0, 5.0, 7.0, 9.0]


def sample(values, *statistic):
    """Every value of a unit of its own."""
    values = np.asarray(values)
    return Sample(values, np.arange(len(values)), *statistic)


def t_interval(values, level=0.95):
    return student(sample(values), level)


def bca(values):
    return bootstrap_interval(sample(values))


def test_the_t_interval_is_students():
    """By hand: of 1, 2, 3 the mean is 2 and half the width t(0.975; 2)/√3 = 4.30265/√3; else as scipy's."""
    interval = t_interval([1, 2, 3])
    assert interval == pytest.approx((2, 2 - 4.302652730 / 3**0.5, 2 + 4.302652730 / 3**0.5, 3), rel=1e-9)
    for level in (0.5, 0.95, 0.99):
        wanted = scipy_stats.ttest_1samp(VALUES, 0).confidence_interval(level)
        assert t_interval(VALUES, level)[1:3] == pytest.approx(tuple(wanted), rel=1e-12)


def test_what_is_not_finite_does_not_count():
    """NaN and infinite values enter neither the mean nor n."""
    spoiled = [np.nan, *VALUES, np.inf]
    assert t_interval(spoiled) == t_interval(VALUES)
    assert mean_interval(spoiled) == mean_interval(VALUES)
    assert t_interval(spoiled).n == mean_interval(spoiled).n == len(VALUES)


@pytest.mark.parametrize("interval", [t_interval, mean_interval], ids=["t", "mean"])
@pytest.mark.parametrize(
    ("values", "estimate"), [([], np.nan), ([3.0], 3.0), ([np.nan], np.nan), ([np.nan, 3.0], 3.0)]
)
def test_one_unit_has_no_interval(interval, values, estimate):
    """n < 2: the estimate where there is one, and NaN for what cannot be known."""
    found = interval(values)
    assert found.n == np.isfinite(values).sum()
    np.testing.assert_equal((found.estimate, found.low, found.high), (estimate, np.nan, np.nan))


@pytest.mark.parametrize("interval", [t_interval, mean_interval, bca])
@pytest.mark.parametrize("value", [0.0, 1.0, -2.5, 1e-300])
def test_without_spread_the_interval_is_a_point(interval, value):
    """All units alike are certain, not unknown: BCa alone would answer NaN."""
    found = interval([value] * 6)
    assert (found.estimate, found.low, found.high) == pytest.approx((value,) * 3)
    assert found.n == 6


@pytest.mark.parametrize("value", [0.3, 1e5])
def test_spread_of_rounding_is_no_spread(value):
    """The same number computed twice differs in its last bit: still a point, where BCa alone divides by 0."""
    values = value * np.array([1, 1 + 2e-16, 1, 1 - 2e-16, 1, 1 + 2e-16])
    for interval in (mean_interval, bca):
        assert interval(values)[:3] == pytest.approx((value,) * 3, rel=1e-12)


@pytest.mark.parametrize("n", [0, 1])
def test_the_bootstrap_of_too_few_units_has_no_interval(n):
    """No unit: no estimate; one unit: no spread to resample."""
    found = bca(VALUES[:n])
    np.testing.assert_equal(tuple(found), (VALUES[0] if n else np.nan, np.nan, np.nan, n))


def test_every_is_from_least_to_greatest():
    """For claims about every unit; one NaN among them is not passed over, for it cannot be said to hold."""
    assert extent(sample(VALUES)) == (pytest.approx(np.mean(VALUES)), 2.0, 9.0, 6)
    assert extent(sample([True, False])) == (0.5, 0.0, 1.0, 2)
    assert np.isnan(extent(sample([1.0, np.nan])).low)
    np.testing.assert_equal(tuple(extent(sample(np.empty(0)))), (np.nan, np.nan, np.nan, 0))


def slope(units):
    return float(np.polyfit([0.0, 1.0, 2.0], units.mean(axis=0), 1)[0])


@pytest.fixture
def curves():
    rng = np.random.default_rng(3)
    return sample(
        np.array([0.0, 1.0, 2.0]) * -0.5 + rng.normal(size=(12, 3)) + rng.normal(size=(12, 1)), slope
    )


def test_the_same_sample_gives_the_same_interval(curves):
    """To the last bit, at every call and whatever was drawn before: reports repeat."""
    first = bootstrap_interval(curves), mean_interval(VALUES)
    np.random.default_rng().normal(size=10)
    assert (bootstrap_interval(curves), mean_interval(VALUES)) == first


def test_whole_units_are_resampled(curves):
    """An offset that all points of a curve share cancels in its slope; were points resampled it would not."""
    found = bootstrap_interval(curves)
    assert found.estimate == pytest.approx(slope(curves.values))
    offset = bootstrap_interval(sample(curves.values + 100 * np.arange(12)[:, None], slope))
    assert tuple(offset) == pytest.approx(tuple(found), rel=1e-9)


def test_the_bootstrap_is_scipys_bca():
    """With other resamples scipy's BCa interval of the same mean is the same to the noise of resampling."""
    values = np.random.default_rng(5).exponential(size=15)
    wanted = scipy_stats.bootstrap((values,), np.mean, n_resamples=20_000, rng=np.random.default_rng(1))
    found = bca(values)
    assert found.estimate == pytest.approx(values.mean())
    assert found[1:3] == pytest.approx(tuple(wanted.confidence_interval), abs=0.04)


def test_the_ends_do_not_move_with_rounding(few_resamples):
    """Of five units one resample in 26 is the sample in another order: summed in that order it falls now
    below the estimate and now above it, and takes the ends along. Noise of 1e-14, as another processor has
    it, moves them by as little."""
    units = np.random.default_rng(8).normal(size=(5, 4)) - np.arange(4)
    noises = 1e-14 * np.random.default_rng(9).normal(size=(3, *units.shape))
    found, *moved = (
        bootstrap_interval(sample(units + noise, lambda u: float(SLOPE @ u.mean(axis=0))))
        for noise in (0, *noises)
    )
    for interval in moved:
        assert tuple(interval) == pytest.approx(tuple(found), rel=1e-11)


def test_positive_units_have_a_positive_band():
    """However skewed: a band on a logarithmic axis must not reach below 0, as Student's does; of other
    values the band is Student's."""
    values = np.exp(3 * np.random.default_rng(0).normal(size=6))
    found = mean_interval(values)
    assert t_interval(values).low < 0 < found.low < found.estimate < found.high
    assert found.estimate / found.low == pytest.approx(found.high / found.estimate)
    assert mean_interval([-1.0, *VALUES]) == t_interval([-1.0, *VALUES])


def test_a_statistic_that_some_resamples_lack_has_no_interval():
    """NaN in a resample (no crossing, say) makes the interval unknown, not narrower."""

    def picky(units):
        return float(units.mean()) if units.mean() < 6.5 else np.nan

    found = bootstrap_interval(sample(VALUES, picky))
    assert found.estimate == pytest.approx(np.mean(VALUES))
    assert np.isnan(found.low)
    assert np.isnan(found.high)


CLUSTERS = np.array([7, 3, 7, 3, 5, 5])


def test_replicates_of_a_unit_count_as_one():
    """Two networks on each of three data sets: n = 3, t of the three means, resamples of whole data sets."""
    shared = Sample(np.array(VALUES), CLUSTERS)
    assert [rows.tolist() for rows in shared.units] == [[1, 3], [4, 5], [0, 2]]
    means = [4.5, 8.0, 3.0]
    assert sorted(shared.unit_means) == sorted(means)
    assert student(shared) == pytest.approx(t_interval(means))
    found = bootstrap_interval(shared)
    assert (found.estimate, found.n) == (pytest.approx(np.mean(VALUES)), 3)
    assert extent(shared) == (pytest.approx(np.mean(means)), 2.0, 9.0, 3)
    seen = []
    bootstrap_interval(shared.rebuilt(shared.values, lambda units: seen.extend(units) or float(units.mean())))
    assert set(seen) == set(means)


def test_copies_of_every_value_make_nothing_surer():
    """Each value twice within its unit: the interval of the values once, not a narrower one."""
    twice = Sample(np.repeat(VALUES, 2), np.repeat(np.arange(6), 2))
    assert student(twice) == pytest.approx(t_interval(VALUES))
    assert bootstrap_interval(twice) == pytest.approx(bootstrap_interval(sample(VALUES)))
    alone = t_interval(twice.values)
    assert alone.high - alone.low < 0.75 * (t_interval(VALUES).high - t_interval(VALUES).low)


def test_a_rebuilt_sample_keeps_its_units():
    """Other values, another statistic: who owns them stays, and so does what was left out."""
    shared = Sample(np.array(VALUES), CLUSTERS, note="2 seeds left out")
    found = shared.rebuilt(np.log(VALUES), np.median)
    assert (found.owners.tolist(), found.note) == (CLUSTERS.tolist(), "2 seeds left out")


def test_seeds_of_one_data_set_are_pooled():
    """Each owner by the unit that it belongs to; those that share with none stay by themselves."""
    found = Sample(np.array(VALUES), np.arange(6)).pooled(
        {0: "split 0", 1: "split 0", 4: "split 2", 5: "split 2"}
    )
    assert sorted(map(len, found.units)) == [1, 1, 2, 2]
    assert t_interval(VALUES).n == 6
    assert student(found).n == 4


def test_a_slope_fitted_per_unit_has_students_interval(curves):
    """The jackknife of a mean curve's slope is Student's interval of the curves' own slopes, to rounding."""
    slopes = [slope(curve[None]) for curve in curves.values]
    assert student(curves) == pytest.approx(t_interval(slopes), rel=1e-9)


def test_units_without_a_finite_value_are_not_counted():
    assert student(sample([1.0, np.nan, 3.0, 2.0])) == pytest.approx(t_interval([1, 2, 3]))
    assert student(sample([[1.0, 2.0], [np.inf, 1.0], [3.0, 2.0]])).n == 2


def test_counted_are_the_units_of_which_all_lie_inside():
    """Bounds included; a data set with one network outside is outside, and NaN lies nowhere."""
    assert units_inside(sample([1.0, 2.0, 3.0, np.nan]), 1, 2) == 2
    assert units_inside(Sample(np.array(VALUES), CLUSTERS), 2, 8) == 2
    assert units_inside(sample(VALUES), 4.5, np.inf) == 3


def test_the_interval_of_a_count_is_exact():
    """Clopper and Pearson's, as scipy has it; certain ends are 0 and 1."""
    for count, n in ((0, 10), (9, 10), (10, 10), (3, 7)):
        wanted = scipy_stats.binomtest(count, n).proportion_ci(method="exact")
        assert clopper_pearson(count, n) == pytest.approx(tuple(wanted))


def drawn(kind, rng, n):
    """Units of a statistic whose true value is 1, in the shapes that estimands have."""
    spread = rng.normal(size=n)
    if kind == "mean":
        return sample(1 + 0.3 * spread)
    if kind == "skewed":
        return sample(np.exp(0.3 * spread - 0.045))
    if kind == "slope":
        curves = np.arange(4) + rng.normal(size=(n, 4)) + spread[:, None]
        return sample(curves, lambda u: SLOPE @ u.mean(axis=0))
    if kind == "ratio of means":
        pairs = np.exp(0.3 * rng.normal(size=(n, 2)))
        return sample(pairs, lambda u: u[:, 1].mean() / u[:, 0].mean())
    return sample(0.3 * spread, lambda u: np.exp(u.mean()))


SLOPE = np.array([-0.3, -0.1, 0.1, 0.3])  # least squares at 0, 1, 2, 3
KINDS = ["mean", "skewed", "slope", "ratio of means", "geometric mean"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [3, 5, 10])
def test_students_interval_covers_at_the_n_it_is_used_with(kind, n):
    """Whatever the statistic: 95 %, within 1 % and four binomial standard errors, of the smallest n that
    claims have, of five, and of ten."""
    assert coverage(student, kind, n, 600) > 0.94 - 4 * (0.95 * 0.05 / 600) ** 0.5


@pytest.mark.parametrize("kind", ["mean", "skewed"])
@pytest.mark.parametrize("n", [5, 10])
def test_the_bands_of_figures_cover(kind, n):
    def band(found):
        return mean_interval(found.values)

    assert coverage(band, kind, n, 1000) > 0.94 - 4 * (0.95 * 0.05 / 1000) ** 0.5


@pytest.mark.parametrize("kind", ["mean", "ratio of means"])
def test_the_bootstrap_covers_from_twenty_units_on(kind, monkeypatch):
    """A little narrow still: known, and bounded. A register that asks it of fewer is refused."""
    monkeypatch.setattr(stats, "RESAMPLES", 199)
    covered = coverage(bootstrap_interval, kind, LEAST_FOR_BOOTSTRAP, 120)
    assert covered > 0.92 - 4 * (0.95 * 0.05 / 120) ** 0.5


@pytest.mark.parametrize("n", [8, 10, 40])
def test_clopper_and_pearson_cover_every_chance(n):
    """Exactly, by the binomial law: at least 95 % whatever the chance."""
    ends = [clopper_pearson(count, n) for count in range(n + 1)]
    for chance in np.linspace(0.01, 0.99, 99):
        law = scipy_stats.binom.pmf(np.arange(n + 1), n, chance)
        assert sum(p for p, (low, high) in zip(law, ends, strict=True) if low <= chance <= high) >= 0.95


def coverage(interval, kind, n, trials):
    """In how many trials the interval holds the truth."""
    rng = np.random.default_rng(11)
    found = [interval(drawn(kind, rng, n)) for _ in range(trials)]
    return np.mean([i.low <= 1 <= i.high for i in found])
