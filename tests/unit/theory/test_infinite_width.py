"""The distribution of trained infinitely wide networks, against samples and finite networks."""

import numpy as np
import pytest

from minima.theory import kernels
from minima.theory.estimators import NTKRegressor
from minima.theory.infinite_width import crossing, trained_limit


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(18, 5))
    y = np.stack([np.sign(x[:, 0]), x[:, 1]], axis=1)
    return x[:12], y[:12], x[12:], y[12:]


@pytest.mark.parametrize("network", [{"depth": 2}, {"depth": 3}, {"activation": "erf", "bias_std": 0.3}])
def test_the_variance_is_that_of_trained_gaussian_samples(data, network):
    """V is the variance of f₀(x) − Θ_xΘ⁻¹f₀(X) for f₀ ~ GP(0, K), to 5 standard errors of 40 000 draws."""
    x, y, x_test, _ = data
    limit = trained_limit(x, y, x_test, **network)
    everywhere = kernels.nngp(np.concatenate([x_test, x]), **network)
    f0 = np.random.default_rng(1).multivariate_normal(np.zeros(18), everywhere, size=40_000, method="eigh")
    projection = kernels.ntk(x_test, x, **network) @ np.linalg.inv(kernels.ntk(x, **network))
    measured = np.mean((f0[:, :6] - f0[:, 6:] @ projection.T) ** 2, axis=0)
    np.testing.assert_allclose(measured, limit.variance, rtol=5 * np.sqrt(2 / 40_000))


def linearized_init(x, x_test, width, sigma, rng):
    """f₀(x) − Θ_xΘ⁻¹f₀(X) of one finite two-layer ReLU net with weights N(0, σ²), from its own Jacobian."""
    points = np.concatenate([x_test, x])
    d, split = x.shape[1], len(x_test)
    first, last = sigma * rng.normal(size=(d, width)), sigma * rng.normal(size=width)
    pre = points @ first / np.sqrt(d)
    active = np.where(pre > 0, last, 0)
    tangent = (
        np.maximum(pre, 0) @ np.maximum(pre, 0).T + (active @ active.T) * (points @ points.T) / d
    ) / width
    f0 = np.maximum(pre, 0) @ last / np.sqrt(width)
    return f0[:split] - tangent[:split, split:] @ np.linalg.solve(tangent[split:, split:], f0[split:])


def test_wide_finite_networks_have_this_variance(data):
    """V·σ^{2H} is what linearized nets of width 2048 show over 400 initializations, within 4 standard errors.

    The finite width's own bias, O(1/width), is far below the standard error (about 3 %).
    """
    x, y, x_test, _ = data
    sigma, rng = 1.6, np.random.default_rng(2)
    measured = [np.mean(linearized_init(x, x_test, 2048, sigma, rng) ** 2) for _ in range(400)]
    expected = sigma**4 * trained_limit(x, y, x_test, depth=2).variance.mean()
    assert abs(np.mean(measured) - expected) < 4 * np.std(measured) / np.sqrt(400)


def test_training_points_keep_their_labels(data):
    """On the training set the limit is the labels, with no variance left."""
    x, y, _, _ = data
    limit = trained_limit(x, y, x, depth=3)
    np.testing.assert_allclose(limit.mean, y, atol=1e-9)
    assert limit.variance.max() < 1e-12


def test_the_mean_is_ridgeless_ntk_regression(data):
    """One number, two routes: f_int and NTKRegressor(alpha=0), one or several outputs."""
    x, y, x_test, _ = data
    limit = trained_limit(x, y, x_test, depth=3)
    np.testing.assert_allclose(limit.mean, NTKRegressor(depth=3).fit(x, y).predict(x_test), rtol=1e-9)
    np.testing.assert_allclose(trained_limit(x, y[:, 0], x_test, depth=3).mean, limit.mean[:, 0], rtol=1e-12)


def test_a_point_with_two_labels_counts_as_one_with_their_mean(data):
    """Duplicates make Θ singular: mean and variance are still those of the merged data, not of the jitter."""
    x, y, x_test, _ = data
    twice, labels = np.concatenate([x, x[:4]]), np.concatenate([y, -y[:4] + 0.6])
    merged = np.concatenate([np.full((4, 2), 0.3), y[4:]])
    limit, expected = trained_limit(twice, labels, x_test, depth=3), trained_limit(x, merged, x_test, depth=3)
    np.testing.assert_allclose(limit.mean, expected.mean, atol=1e-10)
    np.testing.assert_allclose(limit.variance, expected.variance, rtol=1e-9)


@pytest.mark.parametrize("depth", [2, 3, 4])
@pytest.mark.parametrize("activation", ["relu", "linear"])
def test_one_kernel_serves_every_scale(data, depth, activation):
    """f_int and σ^{2H}·V are the limit computed afresh at σ; at σ* the two errors are equal."""
    x, y, x_test, y_test = data
    x = x[:4] if activation == "linear" else x  # linear nets interpolate n < d points
    y = y[: len(x)]
    limit = trained_limit(x, y, x_test, depth, activation)
    for sigma in (0.5, 2.0):
        afresh = trained_limit(x, y, x_test, depth, activation, weight_std=sigma)
        np.testing.assert_allclose(
            sigma ** (2 * depth) * limit.variance, afresh.variance, rtol=1e-8, atol=1e-12
        )
        np.testing.assert_allclose(afresh.interpolant_mse(y_test), limit.interpolant_mse(y_test), rtol=1e-8)
    largest = crossing(limit.interpolant_mse(y_test), limit.variance.mean(), depth)
    grown = largest ** (2 * depth) * limit.variance.mean()
    np.testing.assert_allclose(grown, limit.interpolant_mse(y_test), rtol=1e-12)


def test_without_a_share_any_scale_will_do():
    assert crossing(0.1, 0.0, 2) == np.inf


def test_labels_must_have_the_shape_of_the_predictions(data):
    """(t,) against (t, 1) would broadcast into a wrong error."""
    x, y, x_test, y_test = data
    with pytest.raises(ValueError, match="shape"):
        trained_limit(x, y, x_test).interpolant_mse(y_test[:, 0])
