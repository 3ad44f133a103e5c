"""What many verdicts at once are worth: p-values that agree with the intervals, Holm's correction, and the
n that a pilot asks for."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from minima.findings.significance import corrected, holm, p_count, p_inside, p_outside, units_needed
from minima.findings.stats import Interval, Sample, student
from minima.plan.register import Pilot

INF = math.inf


@pytest.fixture
def found():
    return student(Sample(np.random.default_rng(0).normal(1, 1, 10), np.arange(10)))


def test_p_is_five_per_cent_where_the_interval_touches_the_edge(found):
    """Inside: the nearer edge decides. Outside: the same distance from without."""
    for region in ((found.low, INF), (-INF, found.high), (found.low, found.high + 1)):
        assert p_inside(found, region) == pytest.approx(0.05)
    for region in ((found.high, INF), (-INF, found.low), (found.high, found.high + 9)):
        assert p_outside(found, region) == pytest.approx(0.05)


def test_p_is_that_of_the_t_test(found):
    values = np.random.default_rng(0).normal(1, 1, 10)
    wanted = 2 * scipy_stats.ttest_1samp(values, 0.2, alternative="greater").pvalue
    assert p_inside(found, (0.2, INF)) == pytest.approx(wanted)
    assert p_inside(found, (0.2, 1e9)) == pytest.approx(wanted)
    assert p_outside(found, (-5, 0.2)) == pytest.approx(wanted)
    assert p_inside(found, (2, INF)) == p_outside(found, (0, 2)) == 1


def test_what_is_unknown_or_without_spread_has_a_p_all_the_same():
    """Two-sided edges, no interval: nothing is shown. A point inside is sure, and so is one outside."""
    assert p_inside(Interval(1.0, math.nan, math.nan, 1), (0, INF)) == 1
    point = Interval(1.0, 1.0, 1.0, 5)
    assert (p_inside(point, (0.95, 1)), p_inside(point, (2, 3)), p_outside(point, (2, 3))) == (0, 1, 0)


def test_a_count_is_held_against_one_half():
    """Of ten fair coins nine or more fall so in 11 of 1024."""
    assert p_count(9, 10) == pytest.approx(11 / 1024)
    assert p_count(0, 10) == 1


def test_holms_adjusted_p():
    """By hand: the least of three times 3, the next times 2, never less than the one before."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.5]) == pytest.approx([1, 1])
    assert holm([]) == []


def test_holm_keeps_the_chance_of_any_false_verdict_below_five_per_cent():
    """All statements false and independent: some verdict survives in at most 5 % of 2000 worlds."""
    draws = np.random.default_rng(1).uniform(size=(2000, 20))
    assert np.mean([min(holm(list(p))) <= 0.05 for p in draws]) <= 0.05 + 4 * (0.05 * 0.95 / 2000) ** 0.5


def part(verdict, p, source="published"):
    return {"verdict": verdict, "p": p, "source": source}


def claim(verdict, *parts, ours=None, source="published"):
    return {
        "source": source,
        "verdict": verdict,
        "verdict_ours": ours,
        "reason": "",
        "reason_ours": "",
        "parts": list(parts),
    }


YES, NO, UNSURE = "supported", "refuted", "inconclusive"


def test_a_claim_needs_all_of_its_parts():
    """Supported: the greatest p of the deciding parts; exact parts and parts of ours have no say."""
    one = claim(YES, part(YES, 0.001), part(YES, 0.01), part(YES, None), part(NO, 1e-9, "ours"), ours=NO)
    (found,) = corrected([one])
    assert (found["p"], found["p_ours"]) == (0.01, 1e-9)
    assert (found["p_holm"], found["survives"]) == (0.01, True)
    assert (found["p_holm_ours"], found["survives_ours"]) == (2e-9, True)


def test_one_part_refutes_and_pays_for_the_others():
    (found,) = corrected([claim(NO, part(YES, 0.001), part(NO, 0.004), part(UNSURE, 0.5))])
    assert found["p"] == pytest.approx(0.012)
    assert (found["verdict"], found["survives"]) == (NO, True)


def test_a_refutation_that_does_not_survive_is_inconclusive():
    """Among forty statements p = 0.01 refutes nothing; with p = 1e-6 it does, and so does an exact part."""
    others = [claim(YES, part(YES, 0.04)) for _ in range(39)]
    lost, kept, exact = (corrected([claim(NO, part(NO, p)), *others])[0] for p in (0.01, 1e-6, None))
    assert (lost["verdict"], lost["survives"]) == (UNSURE, None)
    assert lost["reason"] == "refuted at 95 %, but p = 0.4 after Holm's correction over 40 statements"
    assert (kept["verdict"], kept["survives"]) == (NO, True)
    assert (exact["verdict"], exact["p"], exact["p_holm"], exact["survives"]) == (NO, None, None, None)


def test_a_supported_claim_stays_supported_and_says_that_it_does_not_survive():
    found = corrected([claim(YES, part(YES, 0.04))] * 3)
    assert [(one["verdict"], one["survives"]) for one in found] == [(YES, False)] * 3
    assert found[0]["p_holm"] == pytest.approx(0.12)


def test_exact_statements_are_no_tests():
    """They take nothing from the others, and an inconclusive one does."""
    exact, sure = claim(YES, part(YES, None)), claim(YES, part(YES, 0.02))
    assert corrected([exact, sure])[1]["p_holm"] == pytest.approx(0.02)
    assert corrected([claim(UNSURE, part(UNSURE, 0.5)), sure])[1]["p_holm"] == pytest.approx(0.04)


def test_a_claim_of_ours_has_one_verdict():
    lost = claim(NO, part(NO, 0.04, "ours"), ours=NO, source="ours")
    assert [one["verdict_ours"] for one in corrected([lost] * 2)] == [UNSURE] * 2


@pytest.mark.parametrize(("mean", "sd", "region"), [(0.9, 0.1, (0.75, INF)), (1.0, 0.5, (0.6, INF))])
def test_the_n_that_a_pilot_asks_for_has_the_power_that_it_promises(mean, sd, region):
    """Simulated: with n units four of five intervals lie inside the edge, with one unit less fewer do."""
    n = units_needed(Pilot(mean=mean, sd=sd, n=10), region)
    rng = np.random.default_rng(2)
    power = []
    for units in (n - 1, n):
        draws = rng.normal(mean, sd, (20_000, units))
        half = scipy_stats.t.ppf(0.975, units - 1) * draws.std(axis=1, ddof=1) / units**0.5
        power.append(np.mean(draws.mean(axis=1) - half >= region[0]))
    assert power[0] < 0.805
    assert power[1] >= 0.795


def test_a_pilot_outside_the_region_asks_for_no_n():
    assert units_needed(Pilot(mean=5, sd=1, n=10), (0, 4)) is None
    assert units_needed(Pilot(mean=2, sd=0, n=10), (0, 4)) == 2
