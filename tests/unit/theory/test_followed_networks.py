"""Networks followed in strides: against training itself, and many steps at once against a plain loop."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from tests.unit.helpers import arrays, cell, trained
from tests.unit.predictions import distance

from minima.theory import followed
from minima.theory.modes import Memory, modes_of

SPLIT = arrays(points=8, features=6, tests=5)
NETWORK = {"width": 24, "activation": "tanh"}
FOLLOWED = ["network_flow", "network_at_step"]
METHODS = {
    "gd": {"name": "gd", "lr": {"relative": 0.5}},
    "heavy_ball": {"name": "heavy_ball", "lr": {"relative": 0.3}, "momentum": 0.8},
    "nesterov": {"name": "nesterov", "lr": {"relative": 0.2}, "momentum": 0.8},
    "adagrad": {"name": "adagrad", "lr": 0.02, "epsilon": 1e-3},
    "rmsprop": {"name": "rmsprop", "lr": 1e-3, "alpha": 0.95},
    "adam": {"name": "adam", "lr": 2e-3, "schedule": {"kind": "inverse", "length": 1000}},
    "adamw": {"name": "adamw", "lr": 2e-3, "weight_decay": {"strength": 0.5}},
    "decayed gd": {
        "name": "gd",
        "lr": {"relative": 0.5},
        "weight_decay": {"strength": 1e-3, "toward": "start"},
    },
    "decayed adam": {"name": "adam", "lr": 2e-3, "beta1": 0.0, "weight_decay": {"strength": 1e-4}},
}


def one(optimizer, predict=FOLLOWED, **sections):
    sections = {"network": NETWORK, "stop": {"residual": 1e-3}} | sections
    return trained([cell(optimizer=optimizer, predict=predict, **sections)], SPLIT)[0]


@pytest.mark.parametrize("name", METHODS)
def test_strides_of_single_steps_are_training(name, monkeypatch):
    """With strides that never grow every step is taken, as the engine takes it."""
    monkeypatch.setattr(followed, "GROWTHS", (1 + 1e-9,))
    values = one(METHODS[name], ["network_at_step"], stop={"residual": 0.5})
    assert values["status"] == "converged"
    assert values["steps"] > 5
    np.testing.assert_allclose(values["network_at_step_test"], values["test"], rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(
    ("beta", "gamma", "delta", "epsilon"),
    [(0, 1, 0, 1), (0.9, 1, 0, 1), (0.8, 0.2, 0, 1.3), (0.7, 1, 1, 0.7)],
)
@pytest.mark.parametrize("even", [True, False])
def test_many_steps_at_once_are_as_many_steps(beta, gamma, delta, epsilon, even):
    """p ← βp + γc, f ← f + K(δc + εp) + d with c = c₀ − H(f − f₀), in a plain loop; H that of cross-entropy,
    which is singular, or a multiple of the identity."""
    rng = np.random.default_rng(0)
    n, o, steps = 3, 2, 17
    half = rng.normal(size=(n * o, n * o + 2))
    kernel = half @ half.T
    shares = rng.dirichlet(np.ones(o), size=n)
    bends = [np.eye(o) / 5 if even else np.diag(p) - np.outer(p, p) for p in shares]
    bend = np.zeros((n * o, n * o))
    for i, block in enumerate(bends):
        bend[i * o : (i + 1) * o, i * o : (i + 1) * o] = block
    kernel *= 0.3 / np.linalg.eigvals(bend @ kernel).real.max()
    force, dual, drift = rng.normal(size=(3, n * o))
    p, moved, taken = dual.copy(), np.zeros(n * o), np.zeros(n * o)
    for _ in range(steps):
        now = force - bend @ moved
        p = beta * p + gamma * now
        moved += kernel @ (delta * now + epsilon * p) + drift
        taken += delta * now + epsilon * p
    modes = modes_of(torch.tensor(kernel), torch.tensor(np.stack(bends)), True, even)
    memory = Memory(beta, gamma, delta, epsilon)
    told = [torch.tensor(v) for v in (kernel @ dual if beta else 0 * dual, drift)]
    found = modes.impulse(torch.tensor(force), memory, float(steps), *told)
    old = memory.carried(float(steps)) * dual
    whole = found.taken.numpy() + old
    np.testing.assert_allclose(kernel @ whole + steps * drift, moved, rtol=1e-8)
    np.testing.assert_allclose(whole, taken, rtol=1e-7, atol=1e-8)
    if beta:
        kept = found.kept.numpy() + beta**steps * dual
        np.testing.assert_allclose(kept, p, rtol=1e-7, atol=1e-8)


def test_small_steps_are_an_exponential():
    """The limit of many small steps, each with its share of the rate."""
    kernel, force = torch.diag(torch.tensor([2.0, 0.5, 0.0], dtype=torch.float64)), torch.ones(3).double()
    bend, nothing = torch.ones(3, 1, 1).double() / 3, torch.zeros(3).double()
    flow = modes_of(kernel, bend, False, True).impulse(force, Memory(), 1.5, nothing, nothing)
    steps = modes_of(kernel / 1e5, bend, True, True).impulse(force, Memory(), 1.5e5, nothing, nothing)
    torch.testing.assert_close(kernel @ flow.taken, kernel @ steps.taken / 1e5, rtol=1e-4, atol=0)


@pytest.mark.parametrize("name", ["gd", "heavy_ball", "nesterov", "adagrad", "adam"])
def test_a_network_is_foreseen_at_its_step(name):
    """Nearer to the trained network than the limit of small steps, and than its own tolerance; and that limit
    is nearer than the linearization's."""
    values = one(METHODS[name], [*FOLLOWED, "linearized"], stop={"residual": 1e-2})
    assert values["status"] == "converged"
    near, flow, far = (
        distance(values[f"{p}_test"], values["test"])
        for p in ("network_at_step", "network_flow", "linearized")
    )
    assert near < 0.006
    assert near < max(flow, 0.005)  # the tolerance, of both
    assert near < far / 3


def test_training_comes_to_the_network_s_flow_as_its_step_shrinks():
    """First order in η, for Adam with the memory of its squares per time held."""
    gaps = []
    for rate in (4e-3, 2e-3, 1e-3):
        numbers = {"lr": rate, "beta2": 1 - rate, "schedule": {"kind": "constant"}}
        values = one(METHODS["adam"] | numbers, ["network_flow"], network_run={"tolerance": 2e-3})
        gaps.append(distance(values["test"], values["network_flow_test"]))
    assert gaps[-1] < 0.02
    for gap, half in pairwise(gaps):
        assert 1.5 < gap / half < 2.7


@pytest.mark.parametrize("predictor", FOLLOWED)
def test_the_error_is_known_without_training(predictor):
    """Within a factor of three of the distance from the same prediction at a tenth of its tolerance, for
    networks with kinks."""
    relu = {"network": {"width": 48}}
    coarse = one(METHODS["adagrad"], [predictor], network_run={"tolerance": 0.03}, **relu)
    fine = one(METHODS["adagrad"], [predictor], network_run={"tolerance": 0.003}, **relu)
    error = distance(coarse[f"{predictor}_test"], fine[f"{predictor}_test"])
    assert error / 3 < coarse[f"{predictor}_error"] < 3 * error
    assert fine[f"{predictor}_error"] <= 0.003


def test_batches_of_all_points_are_no_batches():
    whole, batch = (
        one(METHODS["adagrad"] | {"batch_size": size}, ["network_at_step"], stop={"residual": 0.1})
        for size in (None, 8)
    )
    np.testing.assert_allclose(batch["network_at_step_test"], whole["network_at_step_test"], rtol=1e-9)


def test_a_network_that_no_step_brings_to_its_goal_is_told():
    """One unit cannot fit eight points: NaN, not an end that is none."""
    values = one(METHODS["gd"], network={"width": 1}, stop={"residual": 1e-3, "max_steps": 50})
    for name in FOLLOWED:
        assert np.isnan(values[f"{name}_test"]).all()
