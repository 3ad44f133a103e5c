"""The order of jobs: studies end one after the other, and the whole ends no later for it."""

import heapq
from itertools import pairwise

import pytest

from minima.plan.turns import turns

SECONDS = {"dear": 100.0, "shared": 10.0, "small": 5.0, "middle": 20.0, "long": 60.0, "tail": 1.0}
NEEDED = {
    "big": ["dear", "middle", "long", "tail"],
    "second": ["shared", "middle"],
    "first": ["shared", "small"],
}


def ends(packs, cores):
    """Study → when its packs are trained, by a scheduler that begins the packs in their turns."""
    free, done = [0.0] * cores, {}
    for pack in sorted(packs, key=packs.__getitem__):
        done[pack] = heapq.heappop(free) + SECONDS[pack]
        heapq.heappush(free, done[pack])
    return {study: max(done[pack] for pack in needed) for study, needed in NEEDED.items()}


def test_studies_end_in_the_order_of_what_they_still_cost():
    """The second costs 30 s alone and 20 s after the first, whose pack it shares."""
    packs, studies = turns(NEEDED, SECONDS, SECONDS, 1)
    assert studies == {"first": 15.0, "second": 35.0, "big": 196.0}
    assert list(studies) == ["first", "second", "big"]
    assert ends(packs, 1) == studies
    assert sorted(packs, key=packs.__getitem__) == ["shared", "small", "middle", "dear", "long", "tail"]


@pytest.mark.parametrize("cores", [2, 3, 4, 10**9])
def test_a_long_pack_of_the_last_study_is_begun_in_time(cores):
    """No order ends before 100 s, and with two cores or more this one ends then."""
    packs, _ = turns(NEEDED, SECONDS, SECONDS, cores)
    assert max(ends(packs, min(cores, 6)).values()) == 100.0
    assert packs["dear"] == 0.0


def test_what_others_wait_for_is_begun_before_them():
    """`start` takes 1 s and `dear`, which starts from it, 100: it comes before a longer pack."""
    seconds = {"start": 1.0, "dear": 100.0, "long": 60.0}
    behind = seconds | {"start": 101.0}
    packs, studies = turns({"only": list(seconds)}, seconds, behind, 1)
    assert packs == {"start": 0.0, "dear": 1.0, "long": 101.0}
    assert studies == {"only": 161.0}


def test_the_order_depends_on_no_order_of_names():
    again = {study: packs[::-1] for study, packs in NEEDED.items()}
    assert turns(again, SECONDS, SECONDS, 2) == turns(NEEDED, SECONDS, SECONDS, 2)
    equal = dict.fromkeys(SECONDS, 3.0)
    packs, _ = turns(NEEDED, equal, equal, 1)
    assert all(b - a == 3.0 for a, b in pairwise(sorted(packs.values())))
