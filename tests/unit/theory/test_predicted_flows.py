"""Flows of adaptive methods and the fixed point that stands for them, against the runs that they predict."""

from dataclasses import replace
from itertools import pairwise, permutations

import numpy as np
import pytest
import torch
from scipy.integrate import quad_vec
from tests.unit.predictions import ADAGRAD, distance, linearization, predicted

from minima.engine.batches import Batches
from minima.engine.core import Recipe
from minima.engine.losses import mse
from minima.engine.optimizers import adagrad
from minima.theory.fixed_point import self_consistent
from minima.theory.flows import Rule, limit_of_flow, rule_of
from minima.theory.predictors import preconditioned_start


def test_the_flow_is_of_second_order_in_its_growth():
    """Distance to a much finer flow falls fourfold where growth − 1 is halved."""
    here, _ = linearization(points=8, width=40)
    finest, *coarse = (limit_of_flow(replace(here, growth=1 + g), Rule()).test for g in (0.02, 0.4, 0.2, 0.1))
    errors = [distance(test, finest) for test in coarse]
    assert errors[0] < 5e-3
    for coarse, fine in pairwise(errors):
        assert 2.8 < coarse / fine < 6


def test_adagrad_comes_to_its_flow_as_its_step_shrinks():
    """First order in η: the distance of the run from the flow's limit halves with η."""
    gaps = []
    for lr in (0.08, 0.04, 0.02):
        values = predicted(optimizer=ADAGRAD | {"lr": lr}, predict=["linearized_trained", "adagrad_flow"])
        gaps.append(distance(values["linearized_trained_test"], values["adagrad_flow_test"]))
    assert gaps[-1] < 0.03
    for gap, half in pairwise(gaps):
        assert 1.6 < gap / half < 2.5


def test_the_flow_ends_with_the_preconditioner_of_runs_at_small_steps():
    """The formula under it comes to that of runs as their step shrinks; it is no more the flow's limit than
    theirs is the run's."""
    names, gaps = ["preconditioned_end", "adagrad_flow_end", "adagrad_flow"], []
    for lr in (0.08, 0.04, 0.02):
        values = predicted(optimizer=ADAGRAD | {"lr": lr}, predict=names, linearized_run={"growth": 1.1})
        end, of_flow, limit = (values[f"{name}_test"] for name in names)
        gaps.append(distance(end, of_flow))
    assert gaps[-1] < distance(limit, of_flow)
    for gap, half in pairwise(gaps):
        assert 1.4 < gap / half < 2.8


@pytest.mark.parametrize(
    ("optimizer", "close"),
    [
        ({"name": "rmsprop", "lr": 2e-4, "alpha": 0.999}, 4e-3),
        ({"name": "adam", "lr": 5e-4, "beta1": 0.0}, 5e-3),
    ],
)
def test_other_methods_come_to_their_own_flow(optimizer, close):
    """RMSprop and Adam at a small step: their own flow's limit, which is not AdaGrad's."""
    values = predicted(optimizer=optimizer, predict=["linearized_trained", "adaptive_flow", "adagrad_flow"])
    near, far = (
        distance(values["linearized_trained_test"], values[f"{n}_flow_test"]) for n in ("adaptive", "adagrad")
    )
    assert near < min(close, far / 2)


def test_batches_are_averaged():
    """Mini-batch AdaGrad at a small step ends at the averaged flow, away from full-batch AdaGrad's; with
    the batch of all points the two flows are one."""
    optimizer = {"name": "adagrad", "lr": 0.02, "batch_size": 2}
    names = ["linearized_trained", "adaptive_flow", "adagrad_flow"]
    values = predicted(optimizer=optimizer, predict=names, linearized_run={"residual": 0.01})
    averaged = distance(values["linearized_trained_test"], values["adaptive_flow_test"])
    full = distance(values["linearized_trained_test"], values["adagrad_flow_test"])
    assert averaged < full / 3
    whole = predicted(optimizer=optimizer | {"batch_size": 8}, predict=names[1:])
    np.testing.assert_allclose(whole["adaptive_flow_test"], whole["adagrad_flow_test"], rtol=1e-10)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_the_noise_of_batches_is_that_of_every_epoch(size):
    """E g_B² over all orders of five points and all batches of an epoch, cut as they are drawn, is
    g² + ν(N Σ p_i² − g²), also where the last batch is smaller."""
    points = 5
    p = np.random.default_rng(0).standard_normal(points)
    squares = [
        (points * p[list(order[begin : begin + size])].mean()) ** 2
        for order in permutations(range(points))
        for begin in range(0, points, size)
    ]
    rule = rule_of(Recipe(adagrad, {}, mse.loss, batches=Batches([0], points, size, False)))
    wanted = p.sum() ** 2 + rule.noise * (points * (p**2).sum() - p.sum() ** 2)
    assert np.mean(squares) == pytest.approx(wanted, rel=1e-12)


def test_with_the_preconditioner_of_the_start_the_flow_is_another():
    """The control of the integrator: D frozen at D(0) ends far from it."""
    here, _ = linearization(points=8, width=40)
    flow, frozen = limit_of_flow(here, Rule()), preconditioned_start.predict(here)
    assert distance(frozen.test, flow.test) > 0.1


# The fixed point


def test_the_fixed_point_gathers_what_makes_it():
    """D = 1/√(∫ g² dt) for the flow under D itself, the integral by SciPy; 0 where no gradient comes."""
    here, rows = linearization(networks=1)
    found = self_consistent(here.rows, here.error)
    assert float(found.change) <= 1e-8
    j, d = rows[0, : here.points].numpy(), found.weights[0].numpy()
    e = here.error[0].flatten().numpy()
    rates, basis = np.linalg.eigh((j * d) @ j.T)

    def squares(log_time):
        time = np.exp(log_time)
        return (j.T @ (basis @ (np.exp(-rates * time) * (basis.T @ e)))) ** 2 * time

    gathered, _ = quad_vec(squares, np.log(1e-9 / rates[-1]), np.log(60 / rates[0]), epsrel=1e-10)
    dead = np.abs(j).sum(0) == 0
    assert dead.any()
    assert (d[dead] == 0).all()
    np.testing.assert_allclose(d[~dead], gathered[~dead] ** -0.5, rtol=1e-5)


def test_the_fixed_point_explains_most_of_adagrads_shift():
    """Its distance to the flow's limit is less than a third of gradient descent's; 1/|g₀| is further away."""
    here, rows = linearization(points=10, width=64)
    flow = limit_of_flow(here, Rule()).test
    gd = here.of_weights(torch.ones_like(rows[:, 0])).test
    fixed = here.of_weights(self_consistent(here.rows, here.error).weights).test
    for i in range(2):
        shift = distance(gd[i], flow[i])
        assert distance(fixed[i], flow[i]) < shift / 3
        assert distance(preconditioned_start.predict(here).test[i], flow[i]) > shift
