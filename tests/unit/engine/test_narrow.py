"""Two linear layers: their narrow form, the starts that the paper gives them, and what it watches."""

from unittest import mock

import numpy as np
import pytest
from scipy import stats
from tests.unit.helpers import arrays, cells, grid, relative_difference, trained
from tests.unit.linear_paths import decay

from minima.engine.inits import bartlett
from minima.engine.networks import narrow
from minima.plan.mistakes import ConfigError
from minima.theory import linear_nets
from minima.theory.linear_nets import descend
from minima.training import cells as training

LINEAR = {"width": 30, "activation": "linear", "parametrization": "none"}
FEATURES, POINTS = 9, 5


def split(outputs=2, seed=0):
    return arrays(points=POINTS, outputs=outputs, features=FEATURES, seed=seed)


def run(data, axes=None, **sections):
    defaults = {"network": LINEAR, "init": {"scale": 0.2}, "predict": [], "optimizer": {"lr": 0.05}}
    return trained(cells(axes, **(defaults | sections)), data)


@pytest.mark.parametrize("scheme", ["gaussian", "antisymmetric", "centred"])
@pytest.mark.parametrize("optimizer", ["gd", "heavy_ball", "nesterov", "higher_momentum", "flow"])
@pytest.mark.parametrize("outputs", [1, 2])
def test_the_narrow_form_is_the_plain_form(monkeypatch, scheme, optimizer, outputs):
    probes = ["accuracy", "distance", "decay", "imbalance"] + ["rate_bounds"] * (scheme == "gaussian")
    rate = {"tolerance": 1e-3} if optimizer == "flow" else {"lr": 0.02}
    fields = {
        "optimizer": {"name": optimizer, **rate},
        "init": {"scheme": scheme, "scale": 0.3},
        "stop": {"residual": 0.01, "max_steps": 100},
        "record": {"probes": probes},
        "keep_parameters": True,
    }
    for network in (LINEAR, LINEAR | {"parametrization": "ntk", "width": 4}):
        used, form = mock.Mock(), narrow.into
        used.side_effect = form
        with monkeypatch.context() as patch:
            patch.setattr(narrow, "into", used)
            (one,) = run(split(outputs), **(fields | {"network": network}))
        used.assert_called_once()
        with monkeypatch.context() as patch:
            patch.setattr(training, "fitting_form", lambda *_: None)
            (other,) = run(split(outputs), **(fields | {"network": network}))
        assert one["steps"] == other["steps"] > 5
        if scheme == "antisymmetric":  # it starts at f = 0 up to rounding, which takes a class of its own
            for values in (one, other):
                values["accuracy_path"] = values["accuracy_path"][1:]
        # the drift of a flow and the steps it takes are differences of nearly equal numbers
        tolerance = 1e-6 if optimizer == "flow" else 1e-9
        assert relative_difference(one, other) <= tolerance


@pytest.mark.parametrize(
    "fields",
    [
        {"optimizer": {"name": "adam", "lr": 0.01}},
        {"optimizer": {"name": "sgd", "lr": 0.01, "batch_size": 2}},
        {"optimizer": {"lr": 0.01, "weight_decay": {"strength": 0.1}}},
        {"record": {"probes": ["unseen"]}},
        {"record": {"probes": ["norm"]}},
        {"network": LINEAR | {"frozen": [1]}},
        {"network": LINEAR | {"depth": 3}},
        {"network": LINEAR | {"activation": "tanh"}},
    ],
    ids=["coordinate-wise", "mini-batches", "decay", "unseen", "norm", "frozen", "three layers", "tanh"],
)
def test_the_narrow_form_stays_away(monkeypatch, fields):
    monkeypatch.setattr(narrow, "into", None)
    (values,) = run(split(), **({"stop": {"max_steps": 3}} | fields))
    assert values["steps"] == 3


def test_the_loop_takes_the_path_of_the_recursion():
    """A network of the grid against theory's own recursion, from the same weights."""
    data = split(1)
    rate, steps = 0.05, 200
    (before,) = run(data, stop={"residual": 1e-12, "max_steps": 1}, keep_parameters=True,
                    optimizer={"lr": 1e-300})  # fmt: skip
    (after,) = run(data, stop={"residual": 1e-12, "max_steps": steps})
    first, second = np.split(before["parameters"], [30 * FEATURES])
    problem = linear_nets.problem(data.x_train, data.y_train)
    start = linear_nets.narrow(linear_nets.net(problem, first.reshape(30, FEATURES).T, second[None]))
    (end,) = descend(problem, start, rate / POINTS, [steps])
    assert after["residual"] ** 2 == pytest.approx(
        float(linear_nets.excess_loss(problem, end) / linear_nets.excess_loss(problem, start)), rel=1e-9
    )


def test_a_bartlett_net_has_the_law_of_a_gaussian_net():
    data = split()
    fields = {"seed": {"start": 0, "count": 400}, "stop": {"residual": 1e-3, "max_steps": 40}}
    found = [
        run(data, network=LINEAR | {"width": 12}, init={"scheme": scheme, "scale": 0.3}, **fields)
        for scheme in ("gaussian", "bartlett")
    ]
    for question in (
        lambda v: (v["start_train"] ** 2).sum(),
        lambda v: (v["test"] ** 2).sum(),
        lambda v: v["residual"],
        lambda v: v["start_norm"][1],
    ):
        one, other = ([question(values) for values in results] for results in found)
        assert stats.ks_2samp(one, other).pvalue > 0.01


def test_a_bartlett_net_of_any_width_is_as_large_as_what_moves():
    (values,) = run(
        split(),
        network=LINEAR | {"width": 10**9},
        init={"scheme": "bartlett", "width_power": 0.5},
        stop={"max_steps": 2},
        keep_parameters=True,
    )
    assert values["parameters"].size == (POINTS + 2) * (FEATURES + 2)
    assert values["start_norm"][1] == pytest.approx(2**0.5, rel=1e-3)  # ‖V‖² = m at α = ½


def test_layers_have_scales_of_their_own_and_shrink_with_the_width():
    (plain,) = run(split(), init={"scale": 2}, stop={"max_steps": 1})
    init = {"scale": 2, "layer_scales": [0.5, 0.02], "width_power": 0.5}
    (scaled,) = run(split(), init=init, stop={"max_steps": 1})
    expected = plain["start_norm"] * [0.5, 0.02] / 30**0.5
    np.testing.assert_allclose(scaled["start_norm"], expected, rtol=1e-12)


@pytest.mark.parametrize(("scheme", "goes_there"), [("invariant", True), ("half_invariant", False)])
def test_only_the_invariant_set_leads_to_the_min_norm_solution(scheme, goes_there):
    data = split()
    (values,) = run(
        data, init={"scheme": scheme, "scale": 0.3}, stop={"residual": 1e-10, "max_steps": 20_000}
    )
    wanted = data.x_test @ np.linalg.pinv(data.x_train) @ data.y_train
    gap = np.linalg.norm(values["test"] - wanted) / np.linalg.norm(wanted)
    assert values["status"] == "converged"
    assert (gap < 1e-8) if goes_there else (gap > 0.05)


def test_the_schemes_start_where_the_paper_says():
    data = split()
    problem = linear_nets.problem(data.x_train, data.y_train)
    found = {}
    for scheme in ("gaussian", "invariant", "half_invariant", "balanced"):
        (values,) = run(data, init={"scheme": scheme}, stop={"max_steps": 1}, keep_parameters=True,
                        optimizer={"lr": 1e-300})  # fmt: skip
        first, second = np.split(values["parameters"], [30 * FEATURES])
        found[scheme] = linear_nets.net(problem, first.reshape(30, FEATURES).T, second.reshape(2, 30))
    assert linear_nets.overlap(found["invariant"]) < 1e-12
    assert np.abs(linear_nets.product(found["half_invariant"])[1]).max() < 1e-12
    assert linear_nets.overlap(found["half_invariant"]) > 1
    assert np.abs(linear_nets.imbalance_matrix(found["balanced"])).max() < 1e-12
    for scheme in ("invariant", "half_invariant"):  # what the points see is that of the gaussian net
        np.testing.assert_allclose(found[scheme].u1, found["gaussian"].u1, atol=1e-13)
        np.testing.assert_allclose(found[scheme].v, found["gaussian"].v, atol=1e-13)
    sizes = [np.linalg.norm(np.concatenate(linear_nets.product(found[s]))) for s in ("balanced", "gaussian")]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.5)


def test_the_flow_keeps_the_imbalance_and_descent_loses_it_in_proportion_to_its_step():
    record = {"probes": ["imbalance"], "steps": [0, 10, 100, 1000]}
    stop = {"residual": 1e-3, "max_steps": 100_000}
    runs = run(split(), {"optimizer.lr": [0.01, 0.02]}, stop=stop, record={"probes": ["imbalance"]})
    drift = [np.nanmax(values["imbalance_path"]) for values in runs]
    assert drift[1] / drift[0] == pytest.approx(2, rel=0.1)
    (flow,) = run(split(), optimizer={"name": "flow", "tolerance": 1e-6}, stop=stop, record=record)
    assert np.nanmax(flow["imbalance_path"]) < 0.05 * drift[0]


def test_only_weight_decay_moves_what_the_points_do_not_see():
    record = {"probes": ["unseen"]}
    (free,) = run(split(), stop={"max_steps": 50}, record=record)
    (pulled,) = run(
        split(),
        optimizer={"lr": 0.05, "weight_decay": {"strength": 0.1, "toward": "zero"}},
        stop={"max_steps": 50},
        record=record,
    )
    assert np.nanmax(free["unseen_path"]) < 1e-13
    assert np.nanmax(pulled["unseen_path"]) > 0.1


def test_the_rates_are_those_of_theory():
    data = split()
    (values,) = run(data, stop={"max_steps": 1}, record={"probes": ["decay", "rate_bounds"]},
                    optimizer={"lr": 1e-300}, keep_parameters=True)  # fmt: skip
    first, second = np.split(values["parameters"], [30 * FEATURES])
    problem = linear_nets.problem(data.x_train, data.y_train)
    here = linear_nets.net(problem, first.reshape(30, FEATURES).T, second.reshape(2, 30))
    extremes = linear_nets.imbalance(here)
    assert values["decay_path"][0] * POINTS == pytest.approx(float(decay(problem, here)), rel=1e-10)
    wanted = [linear_nets.rate(problem, extremes), linear_nets.rate_now(problem, extremes, here)]
    np.testing.assert_allclose(values["rate_bounds_path"][0] * POINTS, wanted, rtol=1e-9)


@pytest.mark.parametrize(
    ("sections", "reason"),
    [
        ({"init": {"scheme": "bartlett"}}, "init.scheme: bartlett is for two linear layers"),
        ({"network": LINEAR | {"depth": 3}, "record": {"probes": ["unseen"]}}, "probes: unseen is for two"),
        ({"network": LINEAR | {"width": 5}, "init": {"scheme": "bartlett"}}, "needs a width of 6"),
        (
            {"network": LINEAR | {"parametrization": "ntk"}, "init": {"scheme": "bartlett"}},
            "none or standard",
        ),
        ({"init": {"layer_scales": [1, 1, 1]}}, "has 3 numbers for 2 layers"),
    ],
)
def test_what_is_not_defined_is_refused(sections, reason):
    with pytest.raises(ConfigError, match=reason):
        grid(**sections)


@pytest.mark.parametrize("copies", [1, 2])
@pytest.mark.parametrize("rows", [3, 20])
def test_the_plan_knows_the_least_width_that_bartlett_draws(rows, copies):
    """Fewer or more training rows than features, each copied or not."""
    recipe = {"source": "wine", "train_size": rows, "test_size": 4, "labels": "onehot"}
    recipe["confusion"] = {"copies": copies}
    features, points = 13, rows * copies
    least = 3 + min(points, features)
    shapes, x = [(least, features), (3, least)], np.random.default_rng(0).normal(size=(points, features))
    bartlett.draw(shapes, [1, 1], 0, x)
    sections = {"recipe": recipe, "init": {"scheme": "bartlett"}, "predict": []}
    grid(**sections, network=LINEAR | {"width": least})
    with pytest.raises(ValueError, match=f"less than the {least} units that move"):
        bartlett.draw([(least - 1, features), (3, least - 1)], [1, 1], 0, x)
    with pytest.raises(ConfigError, match=f"needs a width of {least}"):
        grid(**sections, network=LINEAR | {"width": least - 1})


def test_results_do_not_depend_on_the_stack():
    data = split(1)
    sections = {"stop": {"residual": 1e-4, "max_steps": 2000}, "seed": {"start": 0, "count": 3}}
    together = run(data, **sections)
    (alone,) = run(data, **(sections | {"seed": 1}))
    assert relative_difference(together[1], alone) < 1e-10
