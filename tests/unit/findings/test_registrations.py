"""The list of registers: each stands in it once, with the time at which it was written down."""

import yaml
from tests.unit.worlds import ROOT

from minima.findings.registrations import PAGE, as_registered, now, register_digest, with_row

CLAIMS = [{"id": "toy-1", "parts": [{"region": [0, 1]}, {"region": [1, 2]}]}]
OTHER = [{"id": "toy-1", "parts": [{"region": [0, 1.5]}, {"region": [1, 2]}]}]


def test_the_register_as_it_is_stands_in_the_list():
    """After a change of a claim and before the run: `make registrations`."""
    digest = register_digest(as_registered(ROOT))
    assert f"`{digest}`" in (ROOT / PAGE).read_text(encoding="utf-8")


def test_another_register_gets_a_row_and_the_same_none():
    page = with_row("| a |\n", CLAIMS, "2026-11-28 12:00")
    assert page == f"| a |\n| 2026-11-28 12:00 | `{register_digest(CLAIMS)}` | 1 | 2 |\n"
    assert with_row(page, CLAIMS, now()) == page
    assert with_row(page, OTHER, now()).count("\n") == 3


def test_only_what_a_register_says_is_digested():
    """Comments and the order of keys are not; a region is, also where it is spelt as another number."""
    same = yaml.safe_load("# why\n- parts: [{region: [0, 1]}, {region: [1, 2]}]\n  id: toy-1\n")
    assert register_digest(same) == register_digest(CLAIMS)
    assert register_digest(OTHER) != register_digest(CLAIMS)
