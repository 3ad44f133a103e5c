"""The linearized limits are where the linearized network really ends, and where wide networks end."""

import numpy as np
import pytest
import torch
from tests.unit.helpers import arrays, cell, cells, jacobian, naive, trained
from tests.unit.predictions import OnMatrix

from minima.engine.ensemble import Ensemble
from minima.engine.networks.mlp import MLP
from minima.streams import stream
from minima.theory.predictors import interpolant, linearized, linearized_gd

SPLIT = arrays(points=6, outputs=2, tests=5)
UNTRAINED = {"stop": {"max_steps": 1}, "optimizer": {"name": "gd", "lr": 1e-6}}


def linearization(depth=3, width=16, seed=0, split=SPLIT):
    """f₀ and J of a gaussian cell at all points, by autograd: [(n + t)·o] and [(n + t)·o, parameters]."""
    outputs = split.y_train.shape[1]
    model = MLP((5, *[width] * (depth - 1), outputs), "relu", "ntk")
    theta = [
        torch.tensor(stream(seed, f"weights/{layer}").standard_normal((1, *shape)))
        for layer, shape in enumerate(model.weight_shapes)
    ]
    x = torch.tensor(np.concatenate([split.x_train, split.x_test]))
    f = naive([weight[0] for weight in theta], x, "relu", "ntk")
    return f.numpy().ravel(), jacobian(Ensemble(model), theta, x).numpy()


def descend(f, rows, targets, residual):
    """Gradient descent on the parameters u of f + J u, until ‖y − f‖ ≤ residual · ‖y − f₀‖."""
    inner = rows[: len(targets)]
    rate = 1 / np.linalg.norm(inner, 2) ** 2
    u = np.zeros(rows.shape[1])
    start = np.linalg.norm(targets - f[: len(targets)])
    while np.linalg.norm(error := targets - f[: len(targets)] - inner @ u) > residual * start:
        u += rate * inner.T @ error
    return f + rows @ u


@pytest.mark.parametrize("depth", [2, 3])
def test_the_limit_is_where_gradient_descent_on_the_linearized_net_ends(depth):
    """u trained step by step in parameter space to a residual of 1e-8 predicts the same, to 1e-6."""
    (values,) = trained(
        [cell(network={"width": 16, "depth": depth}, predict=["linearized", "linearized_gd"], **UNTRAINED)],
        SPLIT,
    )
    f, rows = linearization(depth)
    expected = descend(f, rows, SPLIT.y_train.ravel(), 1e-8)[12:].reshape(5, 2)
    np.testing.assert_allclose(values["linearized_test"], expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(values["linearized_gd_test"], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_the_limit_splits_into_data_and_initialization(depth):
    """f_∞ = f_int + f_init with f_int = J_x J⁺ y and f_init = f₀ − J_x J⁺ f₀(X), J⁺ by singular values."""
    predict = ["linearized", "interpolant"]
    (values,) = trained([cell(network={"width": 16, "depth": depth}, predict=predict, **UNTRAINED)], SPLIT)
    f, rows = linearization(depth)
    solve = rows[12:] @ np.linalg.pinv(rows[:12])
    f_int, f_init = solve @ SPLIT.y_train.ravel(), f[12:] - solve @ f[:12]
    np.testing.assert_allclose(values["interpolant_test"].ravel(), f_int, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(values["linearized_test"].ravel(), f_int + f_init, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_a_vanishing_weight_decay_turns_the_initialization_round(depth):
    """The least ‖θ₀ + u‖ with Ju = e₀, by ridge regression on autograd's Jacobian and as
    f_int − (H − 1) f_init; the networks' share of the initialization is not small."""
    predict = ["linearized", "interpolant", "decayed"]
    (values,) = trained([cell(network={"width": 16, "depth": depth}, predict=predict, **UNTRAINED)], SPLIT)
    f, rows = linearization(depth)
    shapes = MLP((5, *[16] * (depth - 1), 2), "relu", "ntk").weight_shapes
    theta = [stream(0, f"weights/{layer}").standard_normal(shape) for layer, shape in enumerate(shapes)]
    theta = np.concatenate([weight.ravel() for weight in theta])
    inner, strength = rows[:12], 1e-10
    whole = SPLIT.y_train.ravel() - f[:12] + inner @ theta  # what θ₀ + u has to give
    end = inner.T @ np.linalg.solve(inner @ inner.T + strength * np.eye(12), whole)
    expected = f[12:] + rows[12:] @ (end - theta)
    found = values["decayed_test"].ravel()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    f_int = values["interpolant_test"].ravel()
    f_init = values["linearized_test"].ravel() - f_int
    np.testing.assert_allclose(found, f_int - (depth - 1) * f_init, rtol=1e-7, atol=1e-9)
    assert np.abs(f_init).max() > 0.1
    assert values["decayed_residual"] < 1e-8


def test_training_points_are_reproduced():
    """Asked for the training points again, every limit answers with their targets."""
    f, rows = linearization()
    kernel = rows @ rows[:12].T
    again = np.concatenate([kernel[:12], kernel[:12]])
    start = np.concatenate([f[:12], f[:12]]).reshape(12, 2)
    for predictor, accuracy in ((linearized, 1e-11), (linearized_gd, 1e-7), (interpolant, 1e-11)):
        found = limit(predictor, again, start, SPLIT.y_train)
        np.testing.assert_allclose(found, SPLIT.y_train, rtol=0, atol=accuracy)


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_the_error_of_an_antithetic_pair_grows_as_its_power_of_sigma(depth):
    """Over a flipped pair MSE(σ) = MSE_int + σ^{2H} V exactly, H the number of weight matrices, and
    neither MSE_int nor V depends on σ (2011.02408)."""
    sigmas = [0.5, 1.0, 2.0, 3.0]
    pairs = cells(
        {"init.scale": sigmas, "init.flip": [False, True]}, network={"width": 16, "depth": depth}, **UNTRAINED
    )
    limits = np.array([values["linearized_test"] for values in trained(pairs, SPLIT)]).reshape(4, 2, -1)
    centred = cell(network={"width": 16, "depth": depth}, init={"scheme": "centred"}, **UNTRAINED)
    f_int = trained([centred], SPLIT)[0]["linearized_test"].ravel()
    f_init = (limits[:, 0] - limits[:, 1]) / 2
    y = SPLIT.y_test.ravel()
    errors = ((limits - y) ** 2).mean((1, 2))
    v = (f_init[1] ** 2).mean()
    np.testing.assert_allclose(limits.mean(1), np.tile(f_int, (4, 1)), rtol=1e-9, atol=1e-10)
    for sigma, share, error in zip(sigmas, f_init, errors, strict=True):
        np.testing.assert_allclose(share, sigma**depth * f_init[1], rtol=1e-9, atol=1e-10)
        assert error == pytest.approx(((f_int - y) ** 2).mean() + sigma ** (2 * depth) * v, rel=1e-12)


def test_float32_training_predicts_in_float64():
    """The dtype is that of the training: kernels and solves stay in double precision."""
    single, double = (
        trained([cell(network={"width": 16}, dtype=dtype, **UNTRAINED)], SPLIT)[0]["linearized_test"]
        for dtype in ("float32", "float64")
    )
    assert single.dtype == np.float64
    np.testing.assert_allclose(single, double, rtol=0, atol=1e-4)


def test_wide_networks_end_at_their_linearization():
    """Trained by gradient descent, a network ends the closer to its linearized limit the wider it is: the
    distance over seeds falls from width 64 to 256 to 1024, about as width^−½."""
    split = arrays(points=4, tests=5)
    widths = [64, 256, 1024]
    distances = []
    for width in widths:
        many = cells(seed={"start": 0, "count": 6}, network={"width": width}, stop={"residual": 1e-5})
        found = trained(many, split)
        assert {values["status"] for values in found} == {"converged"}
        gap = [np.linalg.norm(values["test"] - values["linearized_test"]) for values in found]
        size = [np.linalg.norm(values["linearized_test"]) for values in found]
        distances.append(np.mean(gap) / np.mean(size))
    assert distances[0] > distances[1] > distances[2]
    slope = np.polyfit(np.log(widths), np.log(distances), 1)[0]
    assert -0.8 < slope < -0.3
    assert distances[-1] < 0.1


# On a kernel alone


def of_kernel(kernel, start, targets):
    """A linearization that knows no network: one of E = 1, with J = √Λ in the basis of the kernel's own
    eigenvectors."""
    values, vectors = np.linalg.eigh(kernel[: kernel.shape[1]])
    rows = np.concatenate([vectors * values**0.5, kernel[kernel.shape[1] :] @ vectors / values**0.5])
    rows = rows.reshape(len(start), targets.shape[1], -1)
    return OnMatrix(*(torch.tensor(array)[None] for array in (rows, start, targets)))


def limit(predictor, *problem):
    """The function it predicts [t, o]."""
    return predictor.predict(of_kernel(*problem)).test[0].numpy()


def problem(points=8, tests=5, outputs=1, seed=0, condition=1e2):
    """A random positive definite kernel of a given condition, a start and targets."""
    rng = np.random.default_rng(seed)
    n, t = points * outputs, tests * outputs
    vectors, _ = np.linalg.qr(rng.normal(size=(n, n)))
    within = vectors * np.geomspace(1, condition, n) @ vectors.T
    across = rng.normal(size=(t, n)) @ within
    return (
        np.concatenate([within, across]),
        rng.normal(size=(points + tests, outputs)),
        rng.normal(size=(points, outputs)),
    )


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("condition", [1.0, 10.0, 1e3])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_gradient_descent_comes_to_the_closed_form(outputs, condition, scale):
    """Step by step to a residual of 1e-8, whatever the kernel's scale: the two agree to 1e-7 relative."""
    kernel, start, targets = problem(outputs=outputs, condition=condition)
    kernel = scale * kernel
    wanted = limit(linearized, kernel, start, targets)
    found = limit(linearized_gd, kernel, start, targets)
    assert found.shape == wanted.shape == (5, outputs)
    assert 0 < np.linalg.norm(found - wanted) <= 1e-7 * np.linalg.norm(wanted)


def test_gradient_descent_that_does_not_come_there_says_so(monkeypatch):
    """Out of steps: NaN, never the function of an unfinished run; where nothing is to learn, f₀."""
    kernel, start, targets = problem(condition=1e3)
    assert np.array_equal(limit(linearized_gd, kernel, start, start[:8]), start[8:])
    monkeypatch.setattr(linearized_gd, "MAX_STEPS", 50)
    assert np.isnan(limit(linearized_gd, kernel, start, targets)).all()


def test_gradient_descent_keeps_its_arguments():
    kernel, start, targets = arguments = problem()
    copies = [array.copy() for array in arguments]
    limit(linearized_gd, kernel, start, targets)
    for array, copy in zip(arguments, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("outputs", [1, 3])
def test_the_limit_is_the_interpolant_and_the_initializations_part(outputs):
    """linearized = interpolant + [f₀ − Θ_xΘ⁻¹f₀(X)]; from f₀ = 0 the two are one, and the interpolant never
    looks at f₀."""
    kernel, start, targets = problem(outputs=outputs)
    zero = np.zeros_like(start)
    f_int = limit(interpolant, kernel, start, targets)
    np.testing.assert_array_equal(f_int, limit(linearized, kernel, zero, targets))
    np.testing.assert_array_equal(f_int, limit(interpolant, kernel, 7 * start, targets))
    n = 8 * outputs
    weights = np.linalg.solve(kernel[:n], kernel[n:].T).T
    f_init = start[8:] - (weights @ start[:8].ravel()).reshape(-1, outputs)
    np.testing.assert_allclose(
        limit(linearized, kernel, start, targets), f_int + f_init, rtol=0, atol=1e-10 * np.abs(f_init).max()
    )
    np.testing.assert_allclose(f_int, (weights @ targets.ravel()).reshape(-1, outputs), rtol=1e-9, atol=1e-10)
