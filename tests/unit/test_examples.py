"""The examples in docstrings, which the site shows, give what they say."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "workflow_scripts" / "minima"
MODULES = [
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted(PACKAGE.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]
# What a user calls without a config: each shows how.
SHOWN = {
    "minima.store",
    "minima.which.minimizer",
    "minima.theory.kernels",
    "minima.theory.estimators",
    "minima.theory.regression",
    "minima.theory.empirical",
    "minima.theory.predictors",
}


@pytest.mark.parametrize("name", MODULES)
def test_an_example_gives_what_it_says(name):
    found = doctest.testmod(import_module(name))
    assert found.attempted
    assert not found.failed


def test_what_a_user_calls_has_an_example():
    assert {*MODULES} >= SHOWN


def test_this_test_sees_an_example_that_is_wrong(tmp_path, monkeypatch):
    (tmp_path / "wrong_example.py").write_text('"""\n>>> 1 + 1\n3\n"""\n', encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert doctest.testmod(import_module("wrong_example"), report=False).failed == 1
