"""The science pages: every claim is discussed, links lead somewhere, numbers are what their code says."""

import re
import sys
from dataclasses import replace
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location

import numpy as np
import pytest
from scipy.special import zeta
from tests.unit.predictions import linearization
from tests.unit.worlds import CLAIMED, ROOT

from minima.theory.flows import Rule, limit_of_flow

SCIENCE = ROOT / "docs" / "science"
STUDIES = {page.parent.name: page for page in (ROOT / "workflow_scripts" / "studies").glob("*/page.md")}
PAGES = {"statistics": SCIENCE / "statistics.md"} | STUDIES
CLAIM = re.compile(rf"\b(?:{'|'.join({claim.id.split('-')[0] for claim in CLAIMED})})-\d+[a-z]?\b")
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")


@cache
def claims():
    """Claim ids by study."""
    found = {}
    for claim in CLAIMED:
        found.setdefault(claim.study, set()).add(claim.id)
    return found


@cache
def checks():
    sys.path.insert(0, str(SCIENCE))  # as for a script that is run
    spec = spec_from_file_location("checks", SCIENCE / "checks.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def text(page):
    return PAGES[page].read_text(encoding="utf-8")


def test_every_study_has_its_page():
    assert set(STUDIES) == set(claims())


@pytest.mark.parametrize("page", STUDIES)
def test_a_page_discusses_the_claims_of_its_study_and_none_that_is_not(page):
    named = set(CLAIM.findall(text(page)))
    assert claims()[page] <= named
    assert named <= set.union(*claims().values())


def test_the_index_of_the_docs_leads_to_every_page():
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / link).resolve() for link in LINK.findall(index.read_text(encoding="utf-8"))}
    assert {*PAGES.values(), *index.parent.glob("*.md")} - {index} <= linked


@pytest.mark.parametrize(
    "page", [*PAGES.values(), *(ROOT / f"docs/{name}.md" for name in ("README", "glossary", "gallery"))]
)
def test_links_lead_to_files(page):
    links = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    assert links
    assert [link for link in links if not (page.parent / link).exists()] == []


TRAINS = {"networks"}  # pages whose checks train: a minute
SHOWN = [
    pytest.param(page, marks=pytest.mark.slow) if page in TRAINS else page
    for page in PAGES
    if "<!-- checks -->" in text(page)
]


@pytest.mark.parametrize("page", SHOWN)
def test_a_page_shows_the_numbers_that_its_check_gives(page):
    """Mended by PYTHONPATH=workflow_scripts python docs/science/checks.py --write."""
    path = PAGES[page]
    assert checks().shown(path) == "".join(f"{line}\n" for line in checks().PAGES[path]())


def explicit():
    """J and e₀ of a network by autograd, training rows first, and its linearization."""
    here, rows = linearization(networks=1)
    rows, points = rows[0].numpy(), here.points
    alive = np.abs(rows[:points]).sum(0) > 0
    return here, rows[:points, alive], rows[points:, alive], here.error[0].flatten().numpy()


def test_the_integrator_solves_the_flow_that_scipy_solves():
    """To 1e-4 at growth 1.05: J by autograd, the equations in s = √t as the page writes them."""
    here, inner, outer, error = explicit()
    found = (
        limit_of_flow(replace(here, growth=1.05), Rule()).test[0].flatten() - here.start[0, here.points :, 0]
    )
    wanted = outer @ checks().flow_limit(inner, error)
    np.testing.assert_allclose(found, wanted, atol=1e-4 * np.linalg.norm(wanted))


def test_adagrads_first_order_error_is_a_displaced_start():
    """AdaGrad at η ends three times nearer to the flow from u₀ = ζ(½)·η·sign(g₀) than to the flow from 0."""
    _, inner, outer, error = explicit()
    rate = 0.02
    end = outer @ checks().adagrad(inner, error, rate)
    start = zeta(0.5) * rate * np.sign(inner.T @ error)
    plain, displaced = (
        np.linalg.norm(end - outer @ checks().flow_limit(inner, error, u)) for u in (0.0, start)
    )
    assert displaced < plain / 3
