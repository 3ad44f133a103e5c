"""The benchmark of accuracy against cost: its loop trains what the engine trains, its limit is that of a
line, and what it takes to come near is read between two rates."""

import numpy as np
import pytest
import torch
from benchmarks import accuracy, accuracy_figure

WIDTH, SEED = 16, 300


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Narrow networks, short turns, and a file of its own."""
    rates = {name: {WIDTH: (0.5 if name in accuracy.RELATIVE else 0.02, 3)} for name in accuracy.RATES}
    numbers = {"RESIDUAL": 0.1, "RATES": rates, "GROWTHS": (2.0, 1.1), "ROUNDS": 1, "TURN": 1e-3}
    for name, value in numbers.items():
        monkeypatch.setattr(accuracy, name, value)
    monkeypatch.setattr(accuracy, "MEASURED", tmp_path / "accuracy.json.gz")


@pytest.mark.parametrize("optimizer", accuracy.RATES)
def test_the_loop_takes_the_steps_of_the_engine(small, optimizer):
    rate, steps = accuracy.rates(optimizer, WIDTH)[0], 60
    (cell,) = accuracy.cells_of(optimizer, WIDTH, rate, [SEED], steps)
    (run,) = accuracy.train_cells([cell], [accuracy.split_of(SEED)], torch.device("cpu"))
    start = accuracy.starts_of([cell])
    f, taken = accuracy.loop(optimizer, start, accuracy.absolute(optimizer, cell, start), steps)
    assert taken == run.values["steps"] == steps
    np.testing.assert_allclose(f.numpy(), run.values["test"], rtol=1e-8, atol=1e-8)


def test_a_pair_is_trained_priced_and_shown(small):
    accuracy.store("adam 16", accuracy.train("adam", WIDTH, [SEED]))
    accuracy.store("adam 16", accuracy.price("adam", WIDTH, accuracy.stored()["adam 16"]))
    found = accuracy_figure.measured(accuracy.MEASURED)
    (pair,) = found.values()
    errors = {accuracy_figure.name_of(row): row["errors"][0] for row in pair["predicted"]}
    assert errors["1.1"] < errors["linearized"]
    for table in accuracy_figure.TABLES:
        head, _, row = table(found)
        assert head.count("|") == row.count("|")
        assert "adam | 16" in row
    assert len(accuracy_figure.figure_of(found).axes) == 1


def test_the_limit_of_ends_on_a_line_is_where_the_line_begins():
    limit, slope = np.array([[1.0, -2.0]]), np.array([[3.0, 5.0]])
    found = accuracy.extrapolated([limit + rate * slope for rate in (0.2, 0.1)])
    np.testing.assert_allclose(found, limit, rtol=1e-14)


def test_what_it_takes_to_come_near_lies_between_two_rates():
    near = accuracy_figure.NEAR
    sign, seconds = accuracy_figure.to_come_near([1.0, 2.0, 8.0], [8 * near, 2 * near, near / 2])
    assert sign == ""
    assert seconds == pytest.approx(4.0)  # half way in logarithms
    assert accuracy_figure.to_come_near([1.0, 2.0], [near / 2, near / 4]) == ("<", 1.0)
    assert accuracy_figure.to_come_near([1.0, 2.0], [4 * near, 2 * near]) == (">", 2.0)
