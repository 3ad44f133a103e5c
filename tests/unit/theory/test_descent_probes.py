"""What probes see of two linear layers in training, each network written out."""

from importlib import import_module

import numpy as np
import pytest
import torch
from tests.unit.helpers import arrays, cell, grid, trained, weights
from tests.unit.linear_descent import operator, written_out

from minima.engine.ensemble import Ensemble
from minima.engine.losses import mse
from minima.engine.networks.mlp import MLP
from minima.engine.state import State
from minima.forms import NARROW, form_of, probe_module
from minima.plan.mistakes import ConfigError
from minima.theory.drift import drift
from minima.theory.linear_nets import net, problem

ONCE = ["descent_constants", "drift_constant"]
PROBES = [*ONCE, "imbalance_norm", "operator_extremes", "product_extremes"]
LINEAR = {"activation": "linear", "depth": 2, "width": 40, "parametrization": "none"}
INPUTS = 6


def state(points, outputs, parametrization="ntk"):
    """Two networks, one copy each."""
    model = MLP((INPUTS, 24, outputs), "linear", parametrization)
    now, generator = weights(model, 2), torch.Generator().manual_seed(1)
    x = torch.randn(2, points, INPUTS, generator=generator, dtype=torch.float64)
    x += 3 * torch.eye(points, INPUTS)  # well conditioned: flows are short
    y = torch.randn(2, points, outputs, generator=generator, dtype=torch.float64)
    ensemble = Ensemble(model)
    return State(ensemble, mse.loss, now, now, x, y, ensemble.forward(now, x)[0])


def written(at, row):
    """X, Y, W1 and W2 of a network in the coordinates of what its points see."""
    x, y = at.x[row].numpy(), at.y[row].numpy()
    first, second = (weight[row, 0].numpy().T for weight in at.weights)
    basis = np.linalg.svd(x, full_matrices=False)[2]
    factor = np.prod(at.ensemble.model.factors)
    return factor * x @ basis.T, y, basis @ first, second


def measured(name, at):
    return import_module(probe_module(name)).measure(at).numpy()


@pytest.mark.parametrize("parametrization", ["ntk", "none"])
@pytest.mark.parametrize(("points", "outputs"), [(4, 2), (6, 6), (3, 5)])
def test_probes_see_what_the_points_see(points, outputs, parametrization):
    """Eigenvalues of τ as a matrix, ‖D‖, the constants of the table, W's extremes and ‖J‖."""
    at = state(points, outputs, parametrization)
    found = {name: measured(name, at) for name in PROBES}
    for row in range(2):
        x, y, first, second = written(at, row)
        extremes = np.linalg.eigvalsh(operator(first, second))[[0, -1]]
        np.testing.assert_allclose(found["operator_extremes"][row], extremes, rtol=1e-9, atol=1e-9)
        imbalance = first.T @ first - second @ second.T
        assert found["imbalance_norm"][row] == pytest.approx(np.linalg.norm(imbalance))
        singular = np.linalg.svd(x, compute_uv=False)
        product = np.linalg.svd(first @ second, compute_uv=False)
        np.testing.assert_allclose(found["product_extremes"][row], product[[-1, 0]], rtol=1e-9)
        wanted = (
            *written_out(x, y, first, second),
            singular[-1] ** 2,
            singular[0] ** 2,
            product[-1],
            product[0],
        )
        np.testing.assert_allclose(found["descent_constants"][row], wanted, rtol=1e-8, atol=1e-8)
        data = problem(x, y)
        assert found["drift_constant"][row] == pytest.approx(
            np.linalg.norm(drift(data, net(data, first, second.T))), rel=1e-7
        )


def test_trained_networks_are_seen_alike_narrow_and_wide():
    """Another probe, which the narrow form does not know, has the cell trained in its own coordinates."""
    sections = {
        "network": LINEAR,
        "predict": [],
        "optimizer": {"name": "gd", "lr": {"relative": 0.5}},
        "stop": {"residual": None, "max_steps": 5},
    }
    split = arrays(points=4, outputs=2, features=INPUTS)
    narrow, wide = (
        cell(record={"steps": [0, 5], "probes": probes}, **sections) for probes in (PROBES, [*PROBES, "norm"])
    )
    assert form_of(narrow, [INPUTS, 40, 2], 4) == NARROW
    assert form_of(wide, [INPUTS, 40, 2], 4) is None
    first, second = (trained([one], split)[0] for one in (narrow, wide))
    for name in PROBES:
        np.testing.assert_allclose(first[f"{name}_path"], second[f"{name}_path"], rtol=1e-7, atol=1e-9)
        known = np.isfinite(first[f"{name}_path"])
        assert known[0].all()
        assert known[1].all() == known[1].any() == (name not in ONCE)


@pytest.mark.parametrize("probe", ["descent_constants", "drift_constant"])
@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"network": LINEAR | {"activation": "tanh"}}, "is for two linear layers"),
        ({"network": LINEAR | {"depth": 3}}, "is for two linear layers"),
        ({"network": LINEAR | {"frozen": [2]}}, "is for two layers that are both trained"),
        ({"init": {"scheme": "antisymmetric"}}, "is about one network"),
        ({"loss": "logistic", "optimizer": {"lr": 0.1}}, "is about loss: mse"),
    ],
)
def test_what_theory_does_not_know_is_refused(probe, sections, words):
    with pytest.raises(ConfigError, match=f"record.probes: {probe} {words}"):
        grid(**({"network": LINEAR, "predict": [], "record": {"probes": [probe]}} | sections))
