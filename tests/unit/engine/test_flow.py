"""The flow integrator against exact solutions, a Runge-Kutta method and small-step gradient descent."""

from importlib import import_module

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from sklearn.datasets import load_digits
from tests.unit.helpers import arrays, cell, cells, naive_ensemble, trained, weights

from minima.engine import flow
from minima.engine.core import Recipe, Rules, train
from minima.engine.ensemble import Ensemble
from minima.engine.jacobians import mean_jacobian, place, tangent_kernel
from minima.engine.losses import mse
from minima.engine.networks.mlp import MLP
from minima.engine.optimizers import gd
from minima.forms import probe_module

READOUTS = {"one copy": (1.0,), "antisymmetric": (0.5**0.5, -(0.5**0.5))}
FLOW = {"name": "flow", "tolerance": 1e-3}


def numbers(networks, value):
    return torch.full((networks,), value, dtype=torch.float64)


def rules(networks=1, residual=1e-3, loss=-1.0, max_steps=10_000, steps=(0,), levels=(), probes=()):
    return Rules(
        numbers(networks, residual),
        numbers(networks, loss),
        max_steps,
        list(steps),
        list(levels),
        {name: import_module(probe_module(name)) for name in probes},
    )


def problem(activation="tanh", networks=1, outputs=1, readout=(1.0,), frozen=(), points=6, depth=3, width=8):
    """Networks of their own on points of their own; test points last."""
    model = MLP((5, *(width,) * (depth - 1), outputs), activation, "ntk", frozen)
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(networks, points, 5, generator=generator, dtype=torch.float64)
    y = torch.randn(networks, points, outputs, generator=generator, dtype=torch.float64)
    return Ensemble(model, readout), weights(model, networks, len(readout)), x, y


def follow(ensemble, theta, x, y, tolerance, **more):
    how = rules(len(y), **more)
    return list(flow.train_flow(ensemble, theta, x, y, numbers(len(y), tolerance), how))


def exact(ensemble, theta, x, y, time):
    """The weights of the one network at a time of its flow, by an eighth-order Runge-Kutta method on
    autograd's gradients."""
    shapes = [weight[0].shape for weight in theta]

    def shaped(flat):
        parts = torch.as_tensor(flat).split([shape.numel() for shape in shapes])
        return [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]

    def slope(_, flat):
        inner = [part.clone().requires_grad_() for part in shaped(flat)]
        error = naive_ensemble(ensemble, inner, x[0]) - y[0]
        (error.square().sum() / (2 * len(error))).backward()
        trained = ensemble.trained
        return -np.concatenate(
            [(p.grad * (layer in trained)).flatten().numpy() for layer, p in enumerate(inner)]
        )

    start = np.concatenate([weight.flatten().numpy() for weight in theta])
    return shaped(solve_ivp(slope, (0, time), start, method="DOP853", rtol=1e-10, atol=1e-12).y[:, -1])


def relative(found, wanted):
    found, wanted = (torch.cat([part.flatten() for part in parts]) for parts in (found, wanted))
    return float((found - wanted).norm() / wanted.norm())


@pytest.mark.parametrize("activation", ["relu", "tanh", "erf", "linear"])
@pytest.mark.parametrize("readout", READOUTS.values(), ids=READOUTS)
def test_the_mean_jacobian_leads_from_one_network_to_the_other(activation, readout):
    """f(θ') − f(θ) = J̄(θ' − θ) to rounding, however far apart; from θ to θ it is J."""
    ensemble, theta, x, _ = problem(activation, 2, 3, readout)
    other = [weight + torch.randn(weight.shape, dtype=weight.dtype) for weight in theta]
    start, end = place(ensemble, theta, x), place(ensemble, other, x)
    mean = mean_jacobian(ensemble, start, end)
    u = ensemble.vector(other) - ensemble.vector(theta)
    torch.testing.assert_close(mean.times(u), end.f - start.f, rtol=1e-9, atol=1e-9)
    c = torch.randn(start.f.shape, dtype=x.dtype)
    torch.testing.assert_close(
        (mean.transposed(c) * u).sum(), (c * mean.times(u)).sum(), rtol=1e-9, atol=1e-9
    )
    here = mean_jacobian(ensemble, start, start)
    torch.testing.assert_close(
        here.kernel(), tangent_kernel(ensemble, theta, x, x.shape[1]), rtol=1e-12, atol=1e-12
    )


def test_a_linear_model_is_solved_exactly():
    """With only the last layer trained, e(t) = e^{−Θt/N} e₀ whatever the tolerance."""
    ensemble, theta, x, y = problem("tanh", frozen=(0, 1))
    (done,) = follow(ensemble, theta, x, y, 0.5, residual=1e-6)
    kernel = tangent_kernel(ensemble, theta, x, 6)[0]
    f, _ = ensemble.forward(theta, x)
    values, basis = torch.linalg.eigh(kernel)
    start = (y - f).flatten()
    error = basis @ (torch.exp(-values * done.time / 6) * (basis.T @ start))
    end, _ = ensemble.forward([weight.unsqueeze(0) for weight in done.weights], x)
    assert done.status == "converged"
    assert ((y - end).flatten() - error).norm() <= 1e-12 * start.norm()
    assert done.residual == pytest.approx(0.99e-6, rel=1e-6)  # the last step lands
    for layer in (0, 1):
        assert torch.equal(done.weights[layer], theta[layer][0])


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["tanh", "erf"])
@pytest.mark.parametrize(
    "more", [{}, {"readout": READOUTS["antisymmetric"]}, {"frozen": (0,)}, {"outputs": 2}], ids=str
)
def test_smooth_networks_end_where_the_flow_does(activation, more):
    """Weights within the tolerance of the exact flow's, and closer with a tenth of it."""
    ensemble, theta, x, y = problem(activation, **more)
    errors = []
    for tolerance in (1e-3, 1e-4):
        (done,) = follow(ensemble, theta, x, y, tolerance, residual=1e-2)
        assert done.status == "converged"
        wanted = exact(ensemble, theta, x, y, done.time)
        errors.append(relative(done.weights, wanted))
    assert errors[0] < 1e-3
    assert errors[1] < errors[0] / 3


@pytest.mark.parametrize(("activation", "tolerance"), [("relu", 1e-2), ("tanh", 1e-2), ("tanh", 1e-3)])
def test_a_tenth_of_the_tolerance_hardly_moves_the_end(activation, tolerance):
    """Predictions elsewhere move by no more than the tolerance, relatively, though the steps are others."""
    ensemble, theta, x, y = problem(activation, points=8, width=64)
    tests = torch.randn(1, 50, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    ends, steps = [], []
    for each in (tolerance, tolerance / 10):
        (done,) = follow(ensemble, theta, x, y, each)
        ends.append(ensemble.forward([weight.unsqueeze(0) for weight in done.weights], tests)[0])
        steps.append(done.steps)
    assert steps[0] < steps[1]
    assert 0 < relative(*([end] for end in ends)) < tolerance


def test_the_order_is_two_on_smooth_networks(monkeypatch):
    """With fixed steps the error falls by 4 as the step is halved."""
    ensemble, theta, x, y = problem("tanh", points=4)
    kernel = tangent_kernel(ensemble, theta, x, 4)[0]
    whole = 4 / float(torch.linalg.eigvalsh(kernel)[-1])
    wanted = exact(ensemble, theta, x, y, whole)
    monkeypatch.setattr(flow, "GROW", 1.0)
    errors = []
    for steps in (4, 8, 16):
        monkeypatch.setattr(flow, "FIRST", 1 / steps)
        (done,) = follow(ensemble, theta, x, y, 1e6, residual=1e-12, max_steps=steps)
        assert done.time == pytest.approx(whole, rel=1e-9)
        errors.append(relative(done.weights, wanted))
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    assert (np.abs(orders - 2) < 0.3).all()


def digits(seed, points=40):
    x, y = load_digits(return_X_y=True)
    rows = np.random.default_rng(seed).permutation(np.flatnonzero((y == 3) | (y == 8)))[: points + 200]
    x = x[rows] / np.linalg.norm(x[rows], axis=1, keepdims=True) * 8
    labels = np.where(y[rows] == 3, -1.0, 1.0)[:, None]
    x, labels = torch.tensor(x)[None], torch.tensor(labels)[None]
    return x[:, :points], labels[:, :points], x[:, points:]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("activation", "scale", "tolerance", "rate", "limit", "steps"),
    [
        ("tanh", 1.0, 1e-3, 0.2, 2e-3, 100),
        ("relu", 2.0, 1e-3, 0.2, 2e-3, 100),
        ("relu", 1.0, 1e-3, 0.2, 2e-3, 300),
        ("relu", 0.5, 1e-3, 0.05, 6e-3, 600),
    ],
)
def test_it_ends_where_gradient_descent_does(activation, scale, tolerance, rate, limit, steps):
    """Digits 3 and 8, three layers of 256: relative difference on test points, at the same residual. At
    σ = 0.5 gradient descent at 0.2 of the edge is itself 1 % away from smaller steps."""
    x, y, tests = digits(0)
    ensemble = Ensemble(MLP((64, 256, 256, 1), activation, "ntk"))
    theta = weights(ensemble.model, 1, scale=scale)
    edge = 80 / float(torch.linalg.eigvalsh(tangent_kernel(ensemble, theta, x, 40)[0])[-1])
    (ours,) = follow(ensemble, theta, x, y, tolerance)
    how = Recipe(gd, {"lr": numbers(1, rate * edge)}, mse.loss)
    (theirs,) = train(ensemble, theta, x, y, how, rules(max_steps=10**6))
    assert ours.status == theirs.status == "converged"
    found, wanted = (
        ensemble.forward([weight.unsqueeze(0) for weight in done.weights], tests)[0]
        for done in (ours, theirs)
    )
    assert relative([found], [wanted]) < limit
    assert ours.steps <= steps
    assert ours.steps * 10 < theirs.steps
    assert ours.time == pytest.approx(theirs.steps * rate * edge, rel=0.05)


def test_a_network_does_not_see_its_stack():
    ensemble, theta, x, y = problem("relu", 3, 2, READOUTS["antisymmetric"])
    together = follow(ensemble, theta, x, y, 1e-2)
    for row, done in enumerate(together):
        part = slice(row, row + 1)
        (alone,) = follow(ensemble, [w[part] for w in theta], x[part], y[part], 1e-2)
        assert (done.index, done.steps, done.time) == (row, alone.steps, alone.time)
        assert all(torch.equal(a, b) for a, b in zip(done.weights, alone.weights, strict=True))


def test_what_is_recorded():
    """Losses, times and probes at the recorded steps, NaN after the end; first steps below residuals."""
    ensemble, theta, x, y = problem()
    (done,) = follow(
        ensemble, theta, x, y, 1e-2, steps=(0, 1, 2, 9_000), levels=(0.5, 1e-4), probes=("distance", "norm")
    )
    f, _ = ensemble.forward(theta, x)
    assert done.losses[0] == pytest.approx(float((y - f).square().sum() / 12))
    assert done.times[0] == 0
    assert 0 < done.times[1] < done.times[2] <= done.time
    assert done.losses[0] > done.losses[1] > done.losses[2]
    assert done.losses[3].isnan()
    assert done.times[3].isnan()
    assert 0 < done.residual_steps[0] <= done.steps
    assert done.residual_steps[1] == -1
    assert done.probes["distance"].shape == (4, 3)
    assert (done.probes["distance"][0] == 0).all()
    assert (done.probes["distance"][2] > 0).all()
    assert done.probes["norm"][3].isnan().all()


def test_stop_rules():
    ensemble, theta, x, y = problem()
    (done,) = follow(ensemble, theta, x, y, 1e-2, loss=0.05)
    end, _ = ensemble.forward([weight.unsqueeze(0) for weight in done.weights], x)
    assert done.status == "converged"
    assert done.residual > 1e-2
    assert 0.045 < float((y - end).square().sum() / 12) <= 0.05
    (done,) = follow(ensemble, theta, x, y, 1e-2, max_steps=3)
    assert (done.status, done.steps) == ("stopped", 3)
    (done,) = follow(ensemble, theta, x, torch.full_like(y, torch.nan), 1e-2)
    assert (done.status, done.steps) == ("diverged", 0)
    (done,) = follow(ensemble, theta, x, ensemble.forward(theta, x)[0], 1e-2)
    assert (done.status, done.steps, done.residual) == ("converged", 0, 0.0)
    ensemble, theta, x, y = problem("relu")
    dead = [-weight.abs() if layer == 0 else weight for layer, weight in enumerate(theta)]
    (done,) = follow(ensemble, dead, x.abs(), y, 1e-2)  # no unit is on: the flow stands still
    assert (done.status, done.steps) == ("stopped", 0)


def test_cells_are_trained_by_it():
    """From a config's fields: schemes, float32 and two tolerances in one call."""
    split = arrays()
    for scheme in ("gaussian", "antisymmetric", "centred"):
        network = {"width": 64, "activation": "erf"}
        wanted, found = (
            trained([cell(network=network, init={"scheme": scheme}, optimizer=optimizer)], split)[0]
            for optimizer in ({"name": "gd", "lr": {"relative": 0.05}}, FLOW)
        )
        assert found["status"] == "converged"
        assert found["flow_time"] > 0
        assert np.isnan(found["time_path"][-1])
        assert found["time_path"][0] == 0
        assert "learning_rate" not in found
        assert "linearized_test" in found
        assert np.linalg.norm(found["test"] - wanted["test"]) < 5e-3 * np.linalg.norm(wanted["test"])
    both = trained(cells({"optimizer.tolerance": [1e-2, 1e-4]}, optimizer=FLOW, network=network), split)
    assert both[0]["steps"] < both[1]["steps"]
    (single,) = trained([cell(optimizer=FLOW, network=network, dtype="float32")], split)
    (double,) = trained([cell(optimizer=FLOW, network=network)], split)
    np.testing.assert_allclose(single["test"], double["test"], rtol=1e-2, atol=1e-3)
