"""When training ends, and the step sizes on whose edge it does."""

import numpy as np
import pytest
import torch
from tests.unit.helpers import arrays, cell, cells, first_weights, jacobian, predictors, trained

from minima.engine.ensemble import Ensemble
from minima.streams import stream

SPLIT = arrays(points=8, outputs=2)
NETWORK = {"width": 16, "depth": 3}


def test_converged_is_the_first_step_at_the_residual():
    """Training ends at the first step with ‖y − f‖ ≤ residual · ‖y − f₀‖, and says what it reached."""
    fields = {"network": NETWORK, "record": {"steps": list(range(400))}}
    (values,) = trained([cell(stop={"residual": 0.2}, **fields)], SPLIT)
    residuals = np.sqrt(values["loss"] / values["loss"][0])
    assert values["status"] == "converged"
    assert values["residual"] == pytest.approx(residuals[values["steps"]], rel=1e-12)
    assert values["residual"] <= 0.2 < residuals[: values["steps"]].min()
    end = np.linalg.norm(SPLIT.y_train - values["train"])
    start = np.linalg.norm(SPLIT.y_train - values["start_train"])
    assert values["residual"] == pytest.approx(end / start, rel=1e-10)


def test_stopped_is_the_last_step():
    """Out of steps: the network as it is then, exactly max_steps trained."""
    fields = {"network": NETWORK, "optimizer": {"name": "gd", "lr": 0.01}}
    (seven,) = trained([cell(stop={"max_steps": 7}, **fields)], SPLIT)
    (more,) = trained([cell(stop={"max_steps": 12}, record={"steps": [7]}, **fields)], SPLIT)
    assert (seven["status"], seven["steps"]) == ("stopped", 7)
    assert seven["loss"][-1] == pytest.approx(more["loss"][0], rel=1e-12)
    assert np.square(SPLIT.y_train - seven["train"]).sum() / 16 == pytest.approx(seven["loss"][-1], rel=1e-10)


def test_the_target_loss_stops_a_network_that_has_one():
    """Whichever of loss and residual comes first; a network without a target loss goes on."""
    record = {"steps": list(range(3000))}
    many = [
        cell(network=NETWORK, stop={"residual": 1e-3, "loss": loss}, record=record) for loss in (None, 0.05)
    ]
    plain, early = trained(many, SPLIT)
    assert early["status"] == plain["status"] == "converged"
    assert early["steps"] == np.argmax(plain["loss"] <= 0.05) < plain["steps"]


@pytest.mark.parametrize("scheme", ["gaussian", "centred"])
def test_a_network_that_starts_at_the_solution_has_converged(scheme):
    """Targets equal to the starting function: step 0, residual 0, nothing moved, no 0/0."""
    one = cell(network=NETWORK, init={"scheme": scheme})
    (start,) = trained([one], SPLIT)
    solved = type(SPLIT)(SPLIT.x_train, start["start_train"], SPLIT.x_test, SPLIT.y_test)
    (values,) = trained([one], solved)
    assert (values["status"], values["steps"], values["residual"]) == ("converged", 0, 0.0)
    assert not values["distance"].any()
    assert values["residual_steps"].tolist() == [0, 0]
    np.testing.assert_allclose(values["train"], start["start_train"], rtol=1e-12)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("lr", [1e3, 1e8, 1e300])
def test_a_rate_too_large_diverges(lr, dtype):
    """A diverged network is a result: its status says so, it has no predictions, and its start is kept."""
    one = cell(network=NETWORK, optimizer={"name": "gd", "lr": lr}, stop={"max_steps": 1000}, dtype=dtype)
    (values,) = trained([one], SPLIT)
    assert values["status"] == "diverged"
    assert values["steps"] < 50
    assert np.isnan(values["train"]).all()
    assert np.isnan(values["test"]).all()
    for name in ("start_train", "start_test", "start_norm", "linearized_test", "kernel_max"):
        assert np.isfinite(values[name]).all(), name


@pytest.mark.parametrize(
    ("network", "probes"),
    [
        (NETWORK, ["kernel_extremes", "sharpness", "norm", "flips", "margin", "stable_rank", "path_norm"]),
        ({"activation": "linear", "depth": 2, "width": 8}, ["imbalance", "rate_bounds", "operator_extremes"]),
    ],
)
def test_of_weights_that_are_no_numbers_nothing_is_measured(network, probes):
    """A step that leads out of all numbers, just before what is recorded, ends no job and no neighbour."""
    record = {"probes": probes, "steps": [0, 1, 2, 3]}
    many = [
        cell(network=network, optimizer={"name": "gd", "lr": lr}, stop={"max_steps": 3}, record=record)
        for lr in (1e-3, 1e300)
    ]
    neighbour, lost = trained(many, SPLIT)
    (alone,) = trained(many[:1], SPLIT)
    assert lost["status"] == "diverged"
    for probe in probes:
        assert np.isfinite(lost[f"{probe}_path"][0]).all(), probe
        assert np.isnan(lost[f"{probe}_path"][1:]).all(), probe
        np.testing.assert_allclose(neighbour[f"{probe}_path"], alone[f"{probe}_path"], rtol=1e-10)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("lr", [0.1, {"relative": 0.5}])
def test_a_dead_network_is_stopped(lr):
    """A ReLU net whose units are all off learns nothing: a result, not a division by λmax = 0."""
    x = np.abs(SPLIT.x_train)  # one unit on positive points: on or off for all
    dead = next(s for s in range(99) if (stream(s, "weights/0").standard_normal((1, 5)) @ x.T < 0).all())
    split = type(SPLIT)(x, SPLIT.y_train, np.abs(SPLIT.x_test), SPLIT.y_test)
    settings = {"network": {"width": 1}, "predict": predictors(), "stop": {"max_steps": 20}}
    (values,) = trained([cell(dead, optimizer={"name": "gd", "lr": lr}, **settings)], split)
    assert (values["status"], values["steps"], values["residual"]) == ("stopped", 20, 1.0)
    assert values["kernel_max"] == 0
    assert not values["train"].any()
    for part in ("test", "linearized_test"):
        assert np.array_equal(values[part], values["start_test"]), part
    assert np.isnan(values["linearized_gd_test"]).all()  # it never gets to its residual


# Learning rates


@pytest.mark.parametrize("optimizer", ["gd", "heavy_ball"])
def test_a_relative_rate_is_a_fraction_of_the_stability_edge(optimizer):
    """η = r · 2N/λmax, with λmax of the tangent kernel that autograd finds: N counts points."""
    model, theta = first_weights(seed=4)
    rows = jacobian(Ensemble(model), theta, torch.tensor(SPLIT.x_train))
    eigenvalues = torch.linalg.eigvalsh(rows @ rows.T).numpy()
    many = cells(
        {"optimizer.lr": {"r": {"relative": 0.3}, "one": {"relative": 1.0}, "absolute": 0.01}},
        seed=4,
        network=NETWORK,
        optimizer={"name": optimizer},
        stop={"max_steps": 1},
    )
    found = trained(many, SPLIT)
    edge = 2 * 8 / eigenvalues[-1]
    assert [v["learning_rate"] for v in found] == pytest.approx([0.3 * edge, edge, 0.01], rel=1e-10)
    for values in found:
        assert values["kernel_max"] == pytest.approx(eigenvalues[-1], rel=1e-10)
        assert values["kernel_min"] == pytest.approx(eigenvalues[0], rel=1e-7)


def test_a_lazy_net_is_stable_just_below_the_edge_alone():
    """A wide net follows its linearization: it converges at 0.95 of the edge, and leaves at 1.1."""
    many = cells(
        {"optimizer.lr": {"below": {"relative": 0.95}, "above": {"relative": 1.1}}},
        network={"width": 4096},
        init={"scheme": "centred"},
        stop={"max_steps": 60, "residual": 0.05},
        predict=[],
    )
    split = arrays(points=3)
    # The largest mode moves first: targets along it show the edge within a few steps.
    model, theta = first_weights(width=4096, depth=2, outputs=1)
    rows = jacobian(Ensemble(model), theta, torch.tensor(split.x_train))
    top = torch.linalg.eigh(rows @ rows.T).eigenvectors[:, -1:].numpy()
    below, above = trained(many, type(split)(split.x_train, 0.1 * top, split.x_test, split.y_test))
    assert below["status"] == "converged"
    assert above["residual"] > 1
