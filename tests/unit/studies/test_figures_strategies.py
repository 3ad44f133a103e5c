"""The strategies side by side: means of functions, not of errors, on the same data, with what they cost."""

import json

import numpy as np
import pytest
import xarray as xr

from minima.findings.drawing import read_table
from minima.findings.style import styled
from studies.init_size.figures import strategies as figure

pytestmark = pytest.mark.filterwarnings("error")
EACH, GROUPS, POINTS = 4, 3, 5
SEEDS, SCALES, SCHEMES = list(range(EACH * GROUPS)), [1.0, 3.0], ["centred", "antisymmetric"]


def study():
    """Random functions; seeds share their targets in groups of four."""
    rng = np.random.default_rng(0)
    targets = np.repeat(rng.normal(size=(GROUPS, POINTS, 1)), EACH, axis=0)
    dims, shape = ("scale", "seed"), (len(SCALES), len(SEEDS))
    trained = xr.Dataset(
        {
            "test": ((*dims, "point", "output"), rng.normal(size=(*shape, POINTS, 1))),
            "target_test": (("seed", "point", "output"), targets),
            "steps": (dims, np.array([[200.0] * len(SEEDS), [100.0] * len(SEEDS)])),
            "status": (dims, np.full(shape, "converged", dtype="U9")),
        },
        coords={"scale": SCALES, "seed": SEEDS},
        attrs={"fixed": json.dumps({"data": {"split": {"seeds_each": EACH}}})},
    )
    predictors = ["linearized", "decayed"]
    predicted = xr.Dataset(
        {"test": (("predictor", *dims, "point", "output"), rng.normal(size=(2, *shape, POINTS, 1)))},
        coords={"predictor": predictors, "scale": SCALES, "seed": SEEDS},
    )
    dims, shape = ("scheme", "scale", "seed"), (2, len(SCALES), GROUPS)
    coords = {"scheme": SCHEMES, "scale": SCALES, "seed": [100, 101, 102]}
    beside = xr.Dataset(
        {
            "test_mse": (dims, rng.uniform(1, 2, size=shape)),
            "steps": (dims, np.full(shape, 150.0)),
            "status": (dims, np.full(shape, "converged", dtype="U9")),
        },
        coords=coords,
    )
    limits = xr.Dataset(
        {"test_mse": (("predictor", *dims), rng.uniform(1, 2, size=(1, *shape)))},
        coords={"predictor": ["linearized"], **coords},
    )
    dims, shape = ("optimizer", "seed"), (3, GROUPS)
    decays = xr.Dataset(
        {
            "test_mse": (dims, rng.uniform(1, 2, size=shape)),
            "steps": (dims, np.array([[40.0, 50.0, 60.0], [400.0] * GROUPS, [200.0] * GROUPS])),
            "status": (dims, np.array([["converged"] * GROUPS, *([["stopped"] * GROUPS] * 2)], dtype="U9")),
        },
        coords={"optimizer": ["none", "decay to start", "decay to 0"], "seed": [100, 101, 102]},
    )
    nodes = {"trained/members": trained, "predicted/members": predicted, "trained/decays": decays}
    return xr.DataTree.from_dict(nodes | {"trained/other": beside, "predicted/other": limits})


def row(table, strategy, series="trained"):
    (found,) = table[(table.strategy == strategy) & (table.series == series)].itertuples()
    return found


def test_a_mean_of_networks_is_a_mean_of_their_functions():
    """Of groups on the same data, of two and of all four; one network is the mean error of the four."""
    tree = study()
    table = figure.tabulate(tree, "members")
    y = tree["trained/members"].target_test.values[::EACH]
    for series, f in (
        ("trained", tree["trained/members"].test.values),
        ("linearized", tree["predicted/members"].test.values[0]),
    ):
        wide = f[1].reshape(GROUPS, EACH, POINTS, 1)
        expected = {
            "one network": ((wide - y[:, None]) ** 2).mean(),
            "mean of 2": ((wide.reshape(GROUPS, 2, 2, POINTS, 1).mean(2) - y[:, None]) ** 2).mean(),
            "mean of 4": ((wide.mean(1) - y) ** 2).mean(),
            "σ = 1": ((f[0].reshape(GROUPS, EACH, POINTS, 1) - y[:, None]) ** 2).mean(),
        }
        for strategy, error in expected.items():
            found = row(table, strategy, series)
            assert found.estimate == pytest.approx(error, rel=1e-12)
            assert found.n == GROUPS
    assert set(table.panel) == {"σ = 3"}


def test_limits_of_decay_are_the_linearizations():
    """Toward the start it is the network's own limit, toward 0 the predictor of that name."""
    tree = study()
    table = figure.tabulate(tree, "members")
    one = row(table, "one network", "linearized")
    assert row(table, "decay to start", "linearized").estimate == one.estimate
    f, y = tree["predicted/members"].test.values[1, 1], tree["trained/members"].target_test.values
    assert row(table, "decay to 0", "linearized").estimate == pytest.approx(((f - y) ** 2).mean(), rel=1e-12)
    assert set(table[table.strategy.str.startswith("decay")].series) == {"linearized"}


def test_trained_decay_stands_where_its_limit_stands():
    """Out of steps it has ended as it should; its cost is over the same optimizer's without decay."""
    tree = study()
    tree["trained/decays"].status[1, 2] = "diverged"
    table = figure.tabulate(tree, "members", "other", "decays")
    errors = tree["trained/decays"].test_mse
    for strategy, cost, n in (("decay to start", 8, GROUPS - 1), ("decay to 0", 4, GROUPS)):
        trained, limit = row(table, strategy), row(table, strategy, "linearized")
        assert trained.estimate == pytest.approx(float(errors.sel(optimizer=strategy)[:n].mean()), rel=1e-12)
        assert (trained.x, trained.cost, trained.n) == (limit.x, cost, n)
        assert np.isnan(limit.cost)
    assert "none" not in set(table.strategy)


def test_costs_are_steps_times_networks_times_copies():
    """Over one network's at the large σ, which took half the steps of the small one."""
    table = figure.tabulate(study(), "members", "other")
    costs = {"one network": 1, "σ = 1": 2, "mean of 2": 2, "mean of 4": 4, "centred": 1.5, "antisymmetric": 3}
    for strategy, cost in costs.items():
        assert row(table, strategy).cost == pytest.approx(cost, rel=1e-12)
    assert table.cost[table.strategy == "decay to 0"].isna().all()


def test_schemes_stand_beside_at_the_large_scale():
    tree = study()
    table = figure.tabulate(tree, "members", "other")
    for scheme in SCHEMES:
        trained = tree["trained/other"].test_mse.sel(scheme=scheme, scale=3.0)
        limit = tree["predicted/other"].test_mse.sel(scheme=scheme, scale=3.0, predictor="linearized")
        assert row(table, scheme).estimate == pytest.approx(float(trained.mean()), rel=1e-12)
        assert row(table, scheme, "linearized").estimate == pytest.approx(float(limit.mean()), rel=1e-12)


def test_a_group_with_a_network_that_did_not_converge_is_left_out():
    """Its mean would be that of fewer networks; the other groups' errors stay."""
    tree = study()
    node = tree["trained/members"].to_dataset()
    node.status[1, 5] = "stopped"
    node.test[1, 5] = 1e9
    nodes = {path.path: path.to_dataset(inherit=False) for path in tree.subtree}
    table = figure.tabulate(xr.DataTree.from_dict(nodes | {"/trained/members": node}), "members")
    wide = node.test.values[1].reshape(GROUPS, EACH, POINTS, 1)[[0, 2]]
    y = node.target_test.values[::EACH][[0, 2]]
    found = row(table, "mean of 4")
    assert found.n == GROUPS - 1
    assert found.estimate == pytest.approx(((wide.mean(1) - y) ** 2).mean(), rel=1e-12)
    assert row(table, "σ = 1").n == GROUPS


def test_the_picture_draws_its_table(tmp_path):
    """From the file as written: a point per row, named, with its cost."""
    table = figure.tabulate(study(), "members", "other", "decays")
    table.to_csv(tmp_path / "table.csv", index=False, float_format="%.10g")
    with styled():
        picture = figure.draw(read_table(tmp_path / "table.csv"))
        picture.draw_without_rendering()
    axes, beside = picture.axes
    labels = [label.get_text().replace("\n", " ") for label in axes.get_xticklabels()]
    assert labels[0] == "one network ×1"
    assert "mean of 4 ×4" in labels
    assert "decay to 0 ×4" in labels
    drawn = sorted(y for line in axes.containers for y in line.lines[0].get_ydata())
    np.testing.assert_allclose(drawn, sorted(table.estimate), rtol=1e-9)
    priced = table[table.series == "trained"].sort_values("cost")
    (points,) = beside.containers
    np.testing.assert_allclose(points.lines[0].get_xdata().astype(float), priced.cost, rtol=1e-9)
    assert {label.get_text() for label in beside.texts} == set(priced.strategy)
    assert axes.get_title() == f"σ = 3, n = {GROUPS}"
    box = axes.get_window_extent()
    names = [label.get_window_extent() for label in axes.get_xticklabels()]
    edges = [box.x0, *(edge for name in names for edge in (name.x0, name.x1)), box.x1]
    assert edges == sorted(edges), "the names stand beside each other, inside the panel"
