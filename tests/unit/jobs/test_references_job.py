"""The job that fits references: its file is what scikit-learn's estimators and the theory say, labelled."""

import numpy as np
import pytest
import xarray as xr
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import rbf_kernel
from tests.unit.helpers import prepared

from minima.data.files import load_split
from minima.jobs.fit_reference import fit_reference, regressions
from minima.plan import parts
from minima.plan.files import ReferenceFit
from minima.plan.workplan import Plan
from minima.theory.estimators import NNGPRegressor, NTKRegressor
from minima.theory.infinite_width import trained_limit
from minima.theory.kernels import nngp, nngp_diagonal

SPLITS = (3, 7)
DEPTH = 3
KINDS = {
    "ntk": {"alpha": [0.0, 1e-3]},
    "nngp": {"alpha": [0.0]},
    "rbf": {"alpha": [0.0, 0.5], "gamma": [0.01, 0.02]},
}
LABELS = [
    "ntk",
    "ntk alpha=0.001",
    "nngp",
    "rbf gamma=0.01",
    "rbf gamma=0.01 alpha=0.5",
    "rbf gamma=0.02",
    "rbf gamma=0.02 alpha=0.5",
]
RECIPES = {
    "signs": {"source": "digits", "classes": [3, 8], "train_size": 12, "test_size": 9},
    "onehot": {
        "source": "digits",
        "classes": [1, 4, 7],
        "train_size": 12,
        "test_size": 9,
        "labels": "onehot",
    },
}


def fit(folder, coding, kinds=KINDS, activation="relu"):
    """The fitted file as a dataset, and the data it was fitted on."""
    data = prepared(folder / "data.nc", SPLITS, RECIPES[coding])
    fit_reference(ReferenceFit("name", "data", DEPTH, activation, kinds), data, folder / "reference.nc")
    return xr.load_dataset(folder / "reference.nc"), data


@pytest.fixture(scope="module", params=["signs", "onehot"])
def fitted(request, tmp_path_factory):
    return fit(tmp_path_factory.mktemp(request.param), request.param)


def regressors():
    """Label → regressor, each fitted by its own road."""
    yield "ntk", NTKRegressor(depth=DEPTH)
    yield "ntk alpha=0.001", NTKRegressor(depth=DEPTH, alpha=1e-3)
    yield "nngp", NNGPRegressor(depth=DEPTH)
    for gamma in (0.01, 0.02):
        yield f"rbf gamma={gamma}", KernelRidge(alpha=1e-12, kernel="rbf", gamma=gamma)
        yield f"rbf gamma={gamma} alpha=0.5", KernelRidge(alpha=0.5, kernel="rbf", gamma=gamma)


def test_labels_and_dimensions(fitted):
    """Every split and every kernel with its options, under a label that reads well; every variable says what
    it is."""
    found, data = fitted
    split = load_split(data, SPLITS[0])
    assert found.reference.values.tolist() == LABELS
    assert found.split.values.tolist() == list(SPLITS)
    outputs = split.sizes["output"]
    assert dict(found.test.sizes) == {"split": 2, "reference": 7, "point": 9, "output": outputs}
    assert dict(found.train.sizes) == {"split": 2, "reference": 7, "train_point": 12, "output": outputs}
    assert found.limit_variance.dims == found.start_variance.dims == ("split", "point")
    assert found.kind.values.tolist() == ["ntk", "ntk", "nngp"] + ["rbf"] * 4
    assert found.alpha.values.tolist() == [0, 1e-3, 0, 0, 0.5, 0, 0.5]
    np.testing.assert_array_equal(found.gamma.isel(split=0), [np.nan, np.nan, np.nan, 0.01, 0.01, 0.02, 0.02])
    assert all(v.attrs["long_name"] for name, v in found.variables.items() if name != "split")


@pytest.mark.parametrize("split", SPLITS)
def test_functions_are_those_of_the_estimators(fitted, split):
    """NTKRegressor, NNGPRegressor and scikit-learn's KernelRidge, on the split's own rows and all outputs."""
    found, data = fitted
    rows = load_split(data, split)
    here = found.sel(split=split)
    seen = []
    for label, regressor in regressors():
        regressor.fit(rows.x_train, rows.y_train)
        for part in ("train", "test"):
            expected = regressor.predict(rows[f"x_{part}"].values)
            np.testing.assert_allclose(here[part].sel(reference=label), expected, rtol=0, atol=1e-9)
        seen.append(label)
    assert seen == LABELS


def test_ridgeless_references_interpolate(fitted):
    found, data = fitted
    for split in SPLITS:
        targets = load_split(data, split).y_train.values
        for label, alpha in zip(LABELS, found.alpha.values, strict=True):
            at_train = found.train.sel(split=split, reference=label).values
            assert np.allclose(at_train, targets, atol=1e-9) == (alpha == 0)


@pytest.mark.parametrize("split", SPLITS)
def test_variances_are_those_of_infinitely_wide_networks(fitted, split):
    """V of the trained limit and K(x, x) of the untrained one, at σ = 1; the trained mean is the NTK's."""
    found, data = fitted
    rows = load_split(data, split)
    here = found.sel(split=split)
    limit = trained_limit(rows.x_train, rows.y_train, rows.x_test, depth=DEPTH)
    np.testing.assert_allclose(here.limit_variance, limit.variance, rtol=1e-12)
    np.testing.assert_allclose(here.test.sel(reference="ntk"), limit.mean, rtol=0, atol=1e-9)
    np.testing.assert_allclose(here.start_variance, nngp_diagonal(rows.x_test.values, DEPTH), rtol=1e-12)
    np.testing.assert_allclose(
        here.start_variance, np.diag(nngp(rows.x_test.values, None, DEPTH)), rtol=1e-12
    )
    assert (here.limit_variance > 0).all()


def test_splits_are_fitted_on_their_own(fitted, tmp_path):
    """A file of one split has the numbers of the file of two."""
    found, _ = fitted
    coding = "signs" if found.sizes["output"] == 1 else "onehot"
    data = prepared(tmp_path / "data.nc", [7], RECIPES[coding])
    fit_reference(ReferenceFit("name", "data", DEPTH, "relu", KINDS), data, tmp_path / "reference.nc")
    alone = xr.load_dataset(tmp_path / "reference.nc")
    xr.testing.assert_identical(alone, found.sel(split=[7]))


def test_without_the_ntk_there_are_no_variances(tmp_path):
    """They belong to trained networks; rbf alone has its default γ = 1/features."""
    found, data = fit(tmp_path, "signs", {"rbf": {"alpha": [0.0], "gamma": None}})
    assert not {"limit_variance", "start_variance"} & set(found)
    assert found.reference.values.tolist() == ["rbf"]
    rows = load_split(data, 3)
    dual = np.linalg.solve(rbf_kernel(rows.x_train, gamma=1 / 64), rows.y_train.values)
    expected = rbf_kernel(rows.x_test, rows.x_train, gamma=1 / 64) @ dual
    np.testing.assert_allclose(found.test.sel(split=3)[0], expected, rtol=0, atol=1e-9)


def test_another_activation_is_another_reference(tmp_path):
    found, data = fit(tmp_path, "signs", {"ntk": {"alpha": [0.0]}}, "erf")
    rows = load_split(data, 7)
    expected = NTKRegressor(depth=DEPTH, activation="erf").fit(rows.x_train, rows.y_train)
    np.testing.assert_allclose(
        found.test.sel(split=7, reference="ntk"), expected.predict(rows.x_test), rtol=0, atol=1e-9
    )


def test_the_same_fit_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        fit(tmp_path / name, "signs")
    first, second = (tmp_path / name / "reference.nc" for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()


def test_the_plan_fits_once_per_data_and_architecture():
    """Widths and scales share a fit; depths and activations do not. What a fit needs is in the plan."""
    network = {"network.width": [8, 16], "network.depth": [2, 3], "init.scale": [1, 2]}
    study = {
        "blocks": {"main": {"data": "digits", "axes": network, "seed": {"start": 0, "count": 3}}},
        "references": {"ntk": {}, "rbf": {"alpha": [0.1]}},
    }
    plan = Plan({"claims": None, "data": {"digits": RECIPES["signs"]}, "studies": {"toy": study}})
    fits = plan.reference_fits.values()
    assert {(fit.depth, fit.activation) for fit in fits} == {(2, "relu"), (3, "relu")}
    assert {fit.data for fit in fits} == set(plan.data_files)
    assert all(fit.kinds == {"ntk": {"alpha": [0.0]}, "rbf": {"alpha": [0.1]}} for fit in fits)


def test_linear_references_are_the_pseudo_inverses_and_draws_of_wide_nets(tmp_path):
    kinds = {"min_norm": {"alpha": [0.0]}}
    kinds["wide_linear"] = {"width": [100, 10_000], "width_power": [0.5], "draws": 4, "delta": 0.05}
    fitted, file = fit(tmp_path, "onehot", kinds, "linear")
    assert fitted.sizes["reference"] == 1
    for split in SPLITS:
        data, here = load_split(file, split), fitted.sel(split=split)
        x, y = data.x_train.values, data.y_train.values
        solution = np.linalg.pinv(x) @ y
        expected = data.x_test.values @ solution
        np.testing.assert_allclose(here.test.sel(reference="min_norm"), expected, atol=1e-9)
        np.testing.assert_allclose(here.products, x @ x.T)
    assert (fitted.gap_slack.sel(wide_width=10_000) > 1).all()
    assert (fitted.overlap_slack <= 1).all()
    assert (fitted.theorem_width.sel(wide_power=0.5) >= fitted.lemma_width).all()
    first, second = (fitted.gap_slack.sel(split=split).values for split in SPLITS)
    assert not np.isin(first, second).any()  # each split draws its own


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 6))
    y = np.stack([np.sin(x[:, 0]), x[:, 1] * x[:, 2]], axis=1)
    return x[:25], y[:25], x[25:]


def fits(kind, data, network=(), **options):
    return [*regressions(parts.load("references", kind), options, *data, network)]


@pytest.mark.parametrize("kind", ["ntk", "nngp"])
def test_references_equal_the_estimators(data, kind):
    """The workflow's arrays are what a user gets from the estimator, for every ridge."""
    x, y, x_test = data
    estimator = {"ntk": NTKRegressor, "nngp": NNGPRegressor}[kind]
    references = fits(kind, data, network=(3, "relu", 1.2), alpha=[0, 1e-3, 1.0])
    assert [r.alpha for r in references] == [0, 1e-3, 1.0]
    for reference in references:
        model = estimator(depth=3, weight_std=1.2, alpha=reference.alpha).fit(x, y)
        np.testing.assert_allclose(reference.train, model.predict(x), rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(reference.test, model.predict(x_test), rtol=1e-9)
        assert (reference.solver, reference.jitter) == (model.solver_, model.jitter_)


def test_rbf_references_are_sklearns(data):
    """The null that NTK must beat is scikit-learn's RBF ridge, for every (gamma, alpha); 1/d by default."""
    x, y, x_test = data
    references = fits("rbf", data, alpha=[1e-2, 1.0], gamma=[0.05, 0.5])
    assert [(r.numbers["gamma"], r.alpha) for r in references] == [
        (0.05, 1e-2),
        (0.05, 1.0),
        (0.5, 1e-2),
        (0.5, 1.0),
    ]
    for reference in references:
        gamma = reference.numbers["gamma"]
        sklearns = KernelRidge(kernel="rbf", gamma=gamma, alpha=reference.alpha).fit(x, y)
        np.testing.assert_allclose(reference.test, sklearns.predict(x_test), rtol=1e-10)
    assert fits("rbf", data, alpha=[0.0])[0].numbers["gamma"] == 1 / 6


def test_a_flat_rbf_kernel_says_that_it_needed_help(data):
    """Ridgeless regression on a numerically singular kernel is solved, and the jitter is on record."""
    x, x_test = data[0][:, :1], data[2][:, :1]  # 25 points on a line: eigenvalues down to 1e-60
    target = x[:, 0]
    (reference,) = fits("rbf", (x, target, x_test), alpha=[0.0], gamma=[1e-2])
    assert reference.jitter > 0 or reference.solver == "eigh"
    np.testing.assert_allclose(reference.train, target, atol=1e-4)
    np.testing.assert_allclose(reference.test, x_test[:, 0], atol=1e-2)
