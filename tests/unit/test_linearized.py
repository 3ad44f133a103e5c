"""The linearized limits are where the linearized network really ends, and where wide networks end."""

import numpy as np
import pytest
import torch
from tests.unit.helpers import arrays, cell, cells, jacobian, naive, trained

from minima.engine.ensemble import Ensemble
from minima.engine.models.mlp import MLP
from minima.streams import stream
from minima.theory import interpolant, linearized, linearized_gd

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


def test_training_points_are_reproduced():
    """Asked for the training points again, every limit answers with their targets."""
    f, rows = linearization()
    kernel = rows @ rows[:12].T
    again = np.concatenate([kernel[:12], kernel[:12]])
    start = np.concatenate([f[:12], f[:12]]).reshape(12, 2)
    for predictor, accuracy in ((linearized, 1e-11), (linearized_gd, 1e-7)):
        found = predictor.predict(again, start, SPLIT.y_train)
        np.testing.assert_allclose(found, SPLIT.y_train, rtol=0, atol=accuracy)
    found = interpolant.predict(again, start, SPLIT.y_train)
    np.testing.assert_allclose(found, SPLIT.y_train, rtol=0, atol=1e-11)


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
        assert error == pytest.approx(((f_int - y) ** 2).mean() + sigma ** (2 * depth) * v, rel=1e-11)


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
