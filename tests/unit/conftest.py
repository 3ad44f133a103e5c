"""Fixtures that several files of tests ask for."""

import pytest
from tests.unit.house import House
from tests.unit.worlds import World

from minima.findings import stats


@pytest.fixture
def few_resamples(monkeypatch):
    monkeypatch.setattr(stats, "RESAMPLES", 499)


@pytest.fixture(scope="module")
def true_world():
    return World().tree()


@pytest.fixture
def house(tmp_path):
    return House(tmp_path / "results")
