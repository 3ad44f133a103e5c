"""After an epoch of mini-batches the loop looks at as few points as tell whether a network goes on."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tests.unit.helpers import arrays, cell, cells, trained

from minima.engine import looks
from minima.engine.ensemble import Ensemble
from minima.engine.losses import mse
from minima.engine.record import Record, Rules

GOALS = {
    "loss": {"stop.loss": [0.4, 0.3, 0.2]},
    "accuracy": {"stop.accuracy": [0.6, 0.8, 1.0]},
    "residual": {"stop.residual": [0.8, 0.6, 0.5]},
}


def classified(points):
    """Random points with the sign of the first coordinate as their class."""
    split = arrays(points=points)
    split.y_train[:] = np.sign(split.x_train[:, :1])
    return split


@pytest.mark.parametrize("goal", GOALS)
def test_where_a_network_ends_does_not_depend_on_how_many_points_are_looked_at(monkeypatch, goal):
    """Nor do the steps to each level and what is recorded; networks of a stack end at different epochs."""
    many = cells(
        GOALS[goal],
        network={"width": 20, "depth": 2},
        optimizer={"name": "sgd", "lr": 0.5, "batch_size": 4},
        stop={"residual": None, "max_steps": 1000},
        record={"residuals": [0.9, 0.7], "probes": ["accuracy"], "steps_per_decade": 2},
        predict=[],
    )
    found = []
    for first in (1, 3, 10**6):
        monkeypatch.setattr(looks, "FIRST_LOOK", first)
        found.append(trained(many, [classified(30)] * 3))
    steps = [values["steps"] for values in found[-1]]
    assert len({*steps}) == 3, steps
    assert max(steps) < 1000
    for few in found[:2]:
        for now, then in zip(few, found[-1], strict=True):
            for variable, value in now.items():
                if np.asarray(value).dtype.kind == "f":
                    np.testing.assert_allclose(value, then[variable], rtol=1e-9, err_msg=variable)
                else:
                    assert value == then[variable], variable


def test_a_goal_out_of_reach_costs_a_few_points_an_epoch(monkeypatch):
    seen = []
    forward = Ensemble.forward

    def counting(self, weights, x, last=None, training=False):
        seen.append(0 if training else x.shape[1])
        return forward(self, weights, x, last, training)

    monkeypatch.setattr(Ensemble, "forward", counting)
    monkeypatch.setattr(looks, "FIRST_LOOK", 10)
    epochs, points = 20, 200
    one = cell(
        recipe={"train_size": points},
        optimizer={"name": "sgd", "lr": 1e-9, "batch_size": points // 2},
        stop={"residual": None, "accuracy": 1, "max_steps": 2 * epochs},
        record={"steps": [0], "residuals": []},
        predict=[],
    )
    trained([one], classified(points))
    early = [count for count in seen if 0 < count < points]
    assert len(early) >= epochs - 1
    assert sum(early) <= 2 * 10 * epochs


def test_the_points_with_the_largest_losses_are_looked_at_first(monkeypatch):
    """Two networks, each with a few points that it does not fit, others than its neighbour's: the first look
    passes all points, from then on one of 10 proves that both go on; a pass over all has them in order."""
    monkeypatch.setattr(looks, "FIRST_LOOK", 10)
    points, seen = 100, []
    y = torch.ones(2, points, 1, dtype=torch.float64)
    x = y.clone()
    x[0, 90:96] = x[1, 60:70] = 0

    def forward(_, x):
        seen.append(x.shape[1])
        return x, None

    one = torch.ones(2, dtype=torch.float64)
    record = Record(Rules(0 * one, 0.01 * one, 10, [0], []), y)
    record.begin(one, y)
    look = looks.Looks(SimpleNamespace(forward=forward), mse.loss, record, y)
    stack = SimpleNamespace(weights=[], x=x, y=y)
    assert torch.equal(look(stack, 1).f, x)
    assert sum(seen) == points
    seen.clear()
    assert look(stack, 2) is None
    assert seen == [10]
    stack.x = 1 + 1e-3 * torch.rand_like(y)
    now = look(stack, 3)
    assert torch.equal(now.f, stack.x)
    assert now.loss == pytest.approx(mse.loss(stack.x, y)[0])


def test_points_that_have_diverged_or_may_all_be_right_do_not_let_it_go_on():
    """The first 2 of 10 points, of which one is wrong; a start at a loss of 1, levels from 0.01 on."""
    one = torch.ones(1, dtype=torch.float64)
    for goal, mean, going in ((1.0, 1.0, True), (0.9, 1.0, False), (1.0, 0.04, False), (1.0, 2e3, False)):
        record = Record(Rules(0.1 * one, -one, 10, [0], [], accuracy=goal * one), torch.ones(1, 10, 1))
        record.begin(one, torch.ones(1, 10, 1, dtype=torch.float64))
        assert record.goes_on(2 * mean * one, wrong=one.long(), seen=2, points=10) is going
