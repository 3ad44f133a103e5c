"""Kernel regression references: scikit-learn's contract, ridge and ridgeless."""

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks

from minima.theory import kernels
from minima.theory.estimators import KernelRegressor, NNGPRegressor, NTKRegressor


@parametrize_with_checks(
    [NTKRegressor(), NNGPRegressor(), NTKRegressor(alpha=0.1, activation="erf", bias_std=0.2)]
)
def test_estimators_keep_sklearns_contract(estimator, check):
    """clone, pipelines, grid search and input validation work as for any scikit-learn estimator."""
    check(estimator)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 6))
    y = np.stack([np.sin(x[:, 0]), x[:, 1] * x[:, 2]], axis=1)
    return x[:25], y[:25], x[25:], y[25:]


@pytest.mark.parametrize(
    ("estimator", "kernel"), [(NTKRegressor, kernels.ntk), (NNGPRegressor, kernels.nngp)]
)
def test_ridgeless_is_the_kernel_formula_and_interpolates(data, estimator, kernel):
    """alpha = 0: Θ_xΘ⁻¹y with each hyperparameter reaching the kernel, several outputs as one at a time."""
    x, y, x_test, _ = data
    network = {"depth": 3, "activation": "erf", "weight_std": 1.4, "bias_std": 0.2}
    model = estimator(**network).fit(x, y)
    expected = kernel(x_test, x, **network) @ np.linalg.solve(kernel(x, **network), y)
    np.testing.assert_allclose(model.predict(x_test), expected, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(model.predict(x), y, atol=1e-8)
    single = estimator(**network).fit(x, y[:, 1]).predict(x_test)
    np.testing.assert_allclose(single, expected[:, 1], rtol=1e-7, atol=1e-9)
    assert (model.solver_, model.jitter_, model.rank_, model.n_features_in_) == ("cholesky", 0.0, 25, 6)


def test_ridge_is_sklearns_kernel_ridge(data):
    """alpha > 0 is (Θ + αI)⁻¹y in the kernel's own units, as for any KernelRidge."""
    x, y, x_test, _ = data
    model = NTKRegressor(alpha=0.3).fit(x, y)
    sklearns = KernelRidge(alpha=0.3, kernel=lambda p, q: kernels.ntk(p[None], q[None])[0, 0]).fit(x, y)
    np.testing.assert_allclose(model.predict(x_test), sklearns.predict(x_test), rtol=1e-10)
    assert model.solver_ == "ridge"


@pytest.mark.parametrize("sigma", [0.3, 5.0])
def test_the_ridgeless_limit_does_not_depend_on_the_initial_scale(data, sigma):
    """f_int does not know σ: why the convention of the NTK's factor cannot matter there."""
    x, y, x_test, _ = data
    at_one, at_sigma = (NTKRegressor(depth=3, weight_std=s).fit(x, y).predict(x_test) for s in (1.0, sigma))
    np.testing.assert_allclose(at_sigma, at_one, rtol=1e-9, atol=1e-10)


def test_hyperparameters_can_be_searched(data):
    """A user's grid search over depth and ridge runs on our estimators."""
    x, y, _, _ = data
    search = GridSearchCV(NTKRegressor(), {"depth": [1, 2], "alpha": [0.0, 1e-2]}, cv=3).fit(x, y)
    assert search.best_params_["depth"] == 2


def test_kernels_can_be_given(data):
    """The same regression on matrices that are known already, as a job has them for many ridges."""
    x, y, x_test, _ = data
    given = KernelRegressor(alpha=0.3).fit(kernels.ntk(x), y).predict(kernels.ntk(x_test, x))
    np.testing.assert_allclose(given, NTKRegressor(alpha=0.3).fit(x, y).predict(x_test), rtol=1e-10)


@pytest.mark.parametrize("alpha", [-1.0, np.nan, np.inf])
def test_a_bad_ridge_is_named(data, alpha):
    with pytest.raises(ValueError, match=f"alpha is {alpha}"):
        NTKRegressor(alpha=alpha).fit(*data[:2])
