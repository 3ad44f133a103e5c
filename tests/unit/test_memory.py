"""Too little device memory, and goals below rounding: said clearly, and overcome where that is possible."""

import logging

import pytest
import torch
from tests.unit.helpers import CPU, arrays, cell

from minima.training import Trained, halved_where_memory_is_short, train_cells


def device(room: int):
    """A device on which `room` networks fit; the first of a stack that does not fit still finishes."""

    def train_some(positions):
        yield Trained(positions[0], {})
        if len(positions) > room:
            raise torch.OutOfMemoryError("no room")
        yield from (Trained(position, {}) for position in positions[1:])

    return train_some


def test_a_stack_that_does_not_fit_is_halved_once(caplog):
    """Every network is trained, none twice."""
    with caplog.at_level(logging.WARNING, logger="minima"):
        found = [done.position for done in halved_where_memory_is_short(device(5), range(10))]
    assert sorted(found) == list(range(10))
    assert "two halves" in caplog.text


def test_a_half_that_does_not_fit_is_an_error_that_says_what_to_do():
    """Finished networks have been handed out before it."""
    results = halved_where_memory_is_short(device(2), range(10))
    assert [next(results).position for _ in range(2)] == [0, 1]
    with pytest.raises(RuntimeError, match=r"execution\.device_memory_gb"):
        list(results)


@pytest.mark.parametrize(("dtype", "goal"), [("float32", 1e-9), ("float64", 1e-17)])
def test_a_goal_below_rounding_is_warned_of(dtype, goal, caplog):
    """The warning names the arithmetic."""
    one = cell(dtype=dtype, stop={"residual": goal, "max_steps": 3})
    with caplog.at_level(logging.WARNING, logger="minima"):
        list(train_cells([one], [arrays()], CPU))
    assert dtype in caplog.text
