"""Too little device memory, and goals below rounding: said clearly, and overcome where that is possible."""

import logging

import pytest
import torch
from tests.unit.helpers import arrays, cell, cells, trained

from minima.training.memory import DoesNotFit, halved_where_memory_is_short
from minima.training.results import Trained


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
    with pytest.raises(DoesNotFit, match="do not fit the memory") as caught:
        list(results)
    assert caught.value.networks == 3


@pytest.mark.parametrize(
    ("dtype", "goal", "value"),
    [
        *(("float32", "residual", 1e-9), ("float64", "residual", 1e-17)),
        *(("float32", "loss", 1e-16), ("float64", "loss", 1e-34)),
    ],
)
def test_a_goal_below_rounding_is_warned_of(dtype, goal, value, caplog):
    """The warning names the goal and the arithmetic, whichever cell of a pack has it."""
    many = cells({f"stop.{goal}": [0.1, value]}, dtype=dtype, stop={"max_steps": 3})
    with caplog.at_level(logging.WARNING, logger="minima"):
        trained(many, arrays())
    assert f"stop.{goal} {value:g} is below what {dtype} resolves" in caplog.text


def test_a_goal_that_can_be_reached_is_not_warned_of(caplog):
    with caplog.at_level(logging.WARNING, logger="minima"):
        trained([cell(dtype="float64", stop={"residual": 1e-12, "loss": 1e-24, "max_steps": 3})], arrays())
    assert not caplog.messages
