"""Networks with biases and convolutions are predicted, have their rates in units of their kernel, their flow
and their probes as any other: against J, Hessians and steps of plain PyTorch."""

import numpy as np
import pytest
import torch
from tests.unit.helpers import cell, trained
from tests.unit.predictions import OnMatrix, distance
from torch.func import functional_call, hessian, jacrev

from minima.engine import budget, draws
from minima.engine.inits import kaiming
from minima.engine.models import cnn, dense
from minima.theory.flows import Rule, limit_of_flow
from minima.training.start import Arrays

IMAGES = {"source": "digits", "classes": [3, 8], "labels": "sign", "normalize": "range"}
IMAGES |= {"train_size": 6, "test_size": 4}
KINDS = {
    "dense": (dense, {"kind": "dense", "hidden": [20, 8]}, (64,)),
    "cnn": (cnn, {"kind": "cnn", "channels": [2, 3, 2], "hidden": 5, "batch_norm": False}, (1, 8, 8)),
}


class Problem:
    """A kind of network on a few images: the cells, f₀ and J of its start by autograd, [n + t, p]."""

    def __init__(self, kind, sizes=None):
        build, network, shape = KINDS[kind]
        self.network = network | (sizes or {})
        rng = np.random.default_rng(0)
        x, y = rng.uniform(size=(10, 64)), rng.choice([-1.0, 1.0], size=(10, 1))
        self.split = Arrays(x[:6], y[:6], x[6:], y[6:], shape if kind == "cnn" else ())
        fields = self.cell()
        net = build.build(fields["network"], shape, 1)
        start = draws.start(kaiming, net, fields["init"], 0)
        names = [entry.name for entry in net.entries]
        shapes = [entry.shape for entry in net.entries]
        self.theta = {n: torch.tensor(w).reshape(s) for n, w, s in zip(names, start, shapes, strict=True)}
        images = torch.tensor(x).reshape(10, *shape)
        self.f = lambda theta, points=images: functional_call(net.module, theta, (points,))
        self.x, self.y, self.e0 = images, y, (y - self.f(self.theta).numpy())[:6]
        self.f0 = self.f(self.theta).numpy()
        found = jacrev(self.f)(self.theta)
        self.rows = torch.cat([found[name].flatten(2) for name in names], dim=2)[:, 0].numpy()

    def cell(self, **sections):
        return cell(
            recipe=IMAGES, network=self.network, init={"scheme": "kaiming"}, dtype="float64", **sections
        )

    def values(self, **sections):
        return trained([self.cell(**sections)], self.split)[0]

    def loss(self, theta):
        return (self.f(theta, self.x[:6]) - torch.tensor(self.y[:6])).square().sum() / 12


@pytest.fixture(params=KINDS, scope="module")
def problem(request):
    return Problem(request.param)


BARELY = {"max_steps": 1}


@pytest.mark.parametrize("gigabytes", [4.0, 1e-5])
def test_predictors_are_those_of_the_explicit_linear_model(problem, gigabytes):
    """Also where J does not fit the memory: closed forms and a run, by NumPy on the matrix J."""
    with budget.of(gigabytes):
        values = problem.values(
            optimizer={"name": "gd", "lr": {"relative": 0.9}},
            predict=["linearized", "interpolant", "decayed", "preconditioned_start", "linearized_trained"],
            stop=BARELY,
        )
    inner, across = problem.rows[:6], problem.rows[6:]
    theta = np.concatenate([w.numpy().ravel() for w in problem.theta.values()])

    def end(weights, moved=0.0, error=problem.e0):
        left = error[:, 0] - inner @ (moved + np.zeros(len(theta)))
        return moved + weights * (inner.T @ np.linalg.solve((inner * weights) @ inner.T, left))

    ones = np.ones(len(theta))
    gradient = np.abs(inner.T @ problem.e0[:, 0])
    first = np.where(gradient > 0, 1 / np.where(gradient > 0, gradient, 1), 0)
    wanted = {
        "linearized": problem.f0[6:, 0] + across @ end(ones),
        "interpolant": across @ end(ones, error=problem.y[:6]),
        "decayed": problem.f0[6:, 0] + across @ end(ones, -theta),
        "preconditioned_start": problem.f0[6:, 0] + across @ end(first),
        "linearized_trained": problem.f0[6:, 0] + across @ end(ones),
    }
    for name, function in wanted.items():
        close = 1e-3 if name == "linearized_trained" else 1e-7
        assert distance(values[f"{name}_test"][:, 0], function) < close, name


@pytest.mark.parametrize("gigabytes", [4.0, 1e-5])
def test_a_linearized_module_trains_as_the_linear_model_of_its_jacobian(problem, gigabytes):
    """Adam on f₀ + Ju takes the steps of torch.optim on the explicit matrix, in batches or not in memory."""
    run = {"residual": 0.3, "max_steps": 500}
    with budget.of(gigabytes):
        values = problem.values(
            optimizer={"name": "adam", "lr": 0.01},
            predict=["linearized_trained"],
            linearized_run=run,
            stop=BARELY,
        )
    inner, e0 = torch.tensor(problem.rows[:6]), torch.tensor(problem.e0[:, 0])
    u = torch.zeros(inner.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([u], lr=0.01)
    steps = 0
    while float((e0 - inner @ u.detach()).norm() / e0.norm()) > 0.3:
        optimizer.zero_grad()
        ((e0 - inner @ u).square().sum() / 12).backward()
        optimizer.step()
        steps += 1
    assert values["linearized_trained_steps"] == steps
    wanted = problem.f0[6:, 0] + problem.rows[6:] @ u.detach().numpy()
    np.testing.assert_allclose(values["linearized_trained_test"][:, 0], wanted, rtol=0, atol=1e-9)


def test_adaptive_flows_are_those_of_the_explicit_linear_model(problem):
    values = problem.values(optimizer={"name": "adagrad", "lr": 0.01}, predict=["adagrad_flow"], stop=BARELY)
    arrays = (problem.rows[:, None], problem.f0, problem.y[:6])
    explicit = OnMatrix(*(torch.tensor(array)[None] for array in arrays))
    wanted = limit_of_flow(explicit, Rule())
    np.testing.assert_allclose(values["adagrad_flow_test"], wanted.test[0].numpy(), rtol=0, atol=1e-6)
    assert values["adagrad_flow_steps"] == wanted.steps[0]


def test_rates_are_in_units_of_the_kernel(problem):
    """2N/λmax and N/λmin of JJᵀ, and the spectrum that is kept."""
    eigenvalues = np.linalg.eigvalsh(problem.rows[:6] @ problem.rows[:6].T)
    for rate, wanted in (
        ({"relative": 0.5}, 6 / eigenvalues[-1]),
        ({"relative_to_least": 1e-4}, 6e-4 / eigenvalues[0]),
    ):
        values = problem.values(optimizer={"lr": rate}, predict=[], record={"spectrum": True}, stop=BARELY)
        assert values["learning_rate"] == pytest.approx(wanted, rel=1e-8)
        np.testing.assert_allclose(values["kernel_spectrum"], eigenvalues, rtol=1e-8)


def test_the_edge_is_found_without_the_kernel(problem, monkeypatch):
    """By products alone where the kernel is dear: the same rate."""
    asked = {"optimizer": {"lr": {"relative": 0.5}}, "predict": [], "stop": BARELY}
    wanted = problem.values(**asked)
    monkeypatch.setattr("minima.training.kernels.LANCZOS_FROM", 1)
    found = problem.values(**asked)
    assert "kernel_min" in wanted
    assert "kernel_min" not in found
    assert found["learning_rate"] == pytest.approx(wanted["learning_rate"], rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_the_flow_goes_where_small_steps_go(kind):
    """Gradient descent at a twentieth of the edge ends near it, and at four times that farther away."""
    wide = Problem(
        kind, {"dense": {"hidden": [128, 128]}, "cnn": {"channels": [8, 8, 8], "hidden": 64}}[kind]
    )
    asked = {"predict": [], "stop": {"residual": 0.3, "max_steps": 5000}}
    flow, far, near = (
        wide.values(optimizer=optimizer, **asked)
        for optimizer in (
            {"name": "flow", "tolerance": 2e-3},
            {"name": "gd", "lr": {"relative": 0.2}},
            {"name": "gd", "lr": {"relative": 0.05}},
        )
    )
    assert {values["status"] for values in (flow, far, near)} == {"converged"}
    assert distance(near["test"], flow["test"]) < 0.03
    assert distance(near["test"], flow["test"]) < distance(far["test"], flow["test"])


def test_sharpness_and_kernels_are_recorded(problem):
    """The largest eigenvalue of autograd's Hessian, and the extremes of JJᵀ, at the start."""
    values = problem.values(
        predict=[], record={"steps": [0], "probes": ["sharpness", "kernel_extremes"]}, stop=BARELY
    )
    blocks = hessian(problem.loss)(problem.theta)
    names = [*problem.theta]
    sizes = [problem.theta[name].numel() for name in names]
    whole = torch.cat(
        [
            torch.cat([blocks[a][b].reshape(m, n) for b, n in zip(names, sizes, strict=True)], dim=1)
            for a, m in zip(names, sizes, strict=True)
        ]
    )
    wanted = float(torch.linalg.eigvalsh(whole)[-1])
    assert values["sharpness_path"][0] == pytest.approx(wanted, rel=1e-3)
    eigenvalues = np.linalg.eigvalsh(problem.rows[:6] @ problem.rows[:6].T)
    np.testing.assert_allclose(values["kernel_extremes_path"][0], eigenvalues[[0, -1]], rtol=1e-8)
