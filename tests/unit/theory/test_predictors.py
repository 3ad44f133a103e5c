"""Predicted minimizers: limits, identities and agreement with the runs they stand for, on small nets.

The kernel-only predictors are in test_linearized, the linear models and trajectories in test_linear_models.
"""

import numpy as np
import pytest
import torch
from tests.unit.helpers import arrays, cell, cells, jacobian, predictors, trained
from tests.unit.helpers import weights as random_weights
from tests.unit.predictions import ADAGRAD, BARELY, SPLIT, distance, linearization, predicted

from minima.engine.ensemble import Ensemble
from minima.engine.jacobians import jacobian as factors_of
from minima.engine.networks.mlp import MLP
from minima.theory import linear_model
from minima.theory.flows import Rule, follow, limit_of_flow
from minima.theory.linearization import Linearization
from minima.theory.losses import Goal
from minima.variables import PREDICTED

PREDICTORS = predictors()

BOLD = {"name": "adagrad", "lr": 0.1}

ENDS = {"network_flow": 1e-3, "network_at_step": 1e-3, "linearized_trained": 1e-4}  # residuals


# Fixed preconditioners


def test_a_fixed_preconditioner_ends_where_its_formula_says():
    """f₀ + j D Jᵀ(J D Jᵀ)⁻¹e₀ on explicit matrices, its length, and its parts along and across J's rows."""
    here, rows = linearization(outputs=2)
    points = here.points * 2
    weights = torch.rand(2, rows.shape[2], dtype=torch.float64)
    found = here.of_weights(weights)
    for i, j in enumerate(rows.numpy()):
        d, e = weights[i].numpy(), here.error[i].flatten().numpy()
        u = d * (j[:points].T @ np.linalg.solve((j[:points] * d) @ j[:points].T, e))
        f = here.start[i].flatten().numpy() + j @ u
        np.testing.assert_allclose(found.test[i].flatten(), f[points:], rtol=1e-9, atol=1e-10)
        along = np.linalg.pinv(j[:points]) @ (j[:points] @ u)
        lengths = [np.linalg.norm(part) for part in (u, along, u - along)]
        np.testing.assert_allclose([found.length[i], found.along[i], found.across[i]], lengths, rtol=1e-8)


def test_no_preconditioner_is_the_linearized_limit():
    """D = 1 gives f₀ + Θ_xΘ⁻¹e₀, with nothing across the rows of J."""
    here, rows = linearization()
    found = here.of_weights(torch.ones_like(rows[:, 0]))
    limit = here.of_dual(here.solve(here.kernel, here.error))
    torch.testing.assert_close(found.test, limit.test, rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(found.length, limit.length, rtol=1e-9, atol=1e-10)
    assert (found.across < 1e-7 * found.length).all()


def test_training_under_a_fixed_preconditioner_ends_at_its_limit():
    """The control of the adaptive methods: step by step to 1e-8, full batch and mini-batches, to 1e-6."""
    for batches in ({"lr": 0.002}, {"lr": 0.02, "batch_size": 3, "epsilon": 0.3}):
        values = predicted(
            optimizer={"name": "preconditioned"} | batches,
            predict=["linearized_trained", "preconditioned_start", "preconditioned_end"],
            linearized_run={"residual": 1e-8},
        )
        if "batch_size" not in batches:  # a batch's first gradient is another D
            assert distance(values["linearized_trained_test"], values["preconditioned_start_test"]) < 1e-6
        assert distance(values["linearized_trained_test"], values["preconditioned_end_test"]) < 1e-6


def test_one_training_point_gives_the_least_largest_step():
    """AdaGrad's solution of one equation j·u = e is u = e sign(j)/‖j‖₁, least in ℓ_∞: by the run, the flow,
    the fixed point and both fixed preconditioners."""
    split = arrays(points=1, features=6, tests=5)
    names = [
        "linearized_trained",
        "preconditioned_start",
        "preconditioned_end",
        "self_consistent",
        "adagrad_flow",
        "adagrad_flow_end",
    ]
    values = predicted(
        split,
        network={"width": 9},
        optimizer={"name": "adagrad", "lr": 0.01},
        predict=names,
        linearized_run={"residual": 1e-9},
    )
    here = random_weights(MLP((6, 9, 1), "relu", "ntk"), 1)
    x = torch.tensor(np.concatenate([split.x_train, split.x_test]))
    j = jacobian(Ensemble(MLP((6, 9, 1), "relu", "ntk")), [w[0] for w in here], x).numpy()
    e = float(split.y_train[0, 0] - values["start_train"][0, 0])
    u = e * np.sign(j[0]) / np.abs(j[0]).sum()
    wanted = values["start_test"][:, 0] + j[1:] @ u
    for name in names:
        np.testing.assert_allclose(values[f"{name}_test"][:, 0], wanted, rtol=1e-6, atol=1e-7)
        assert values[f"{name}_length"] == pytest.approx(np.linalg.norm(u), rel=1e-6)


# Runs


@pytest.mark.parametrize(
    "optimizer",
    [
        {"name": "gd"},
        {"name": "sgd", "batch_size": 3, "lr": {"relative": 0.1}},
        {"name": "heavy_ball"},
        {"name": "nesterov"},
        {"name": "higher_momentum", "lr": {"relative": 0.3}},
        {"name": "gd", "schedule": {"kind": "inverse", "length": 2000}},
        {"name": "adagrad_norm", "lr": 0.5},
        {"name": "flow"},
    ],
    ids=lambda optimizer: "-".join([optimizer["name"], *optimizer.get("schedule", {})]),
)
def test_methods_that_do_not_adapt_by_coordinate_share_their_minimizer(optimizer):
    """The linearized limit to 1e-5, at a residual of 1e-8; so do their small-step flows."""
    names = ["linearized", "linearized_trained", "preconditioned_end", "adaptive_flow"]
    run = {"residual": 1e-8, "max_steps": 10**6}
    values = predicted(optimizer=optimizer, predict=names, linearized_run=run)
    for name in names[1:]:
        assert distance(values[f"{name}_test"], values["linearized_test"]) < 1e-5
    assert values["linearized_trained_residual"] <= 1e-8 * (1 + 1e-6)


def test_a_decay_toward_zero_pulls_at_the_weights_not_at_their_change():
    """Gradient descent on the linearized network with decay λ ends at the ridge solution around −θ₀."""
    decay = {"strength": 1e-2, "toward": "zero"}
    values = predicted(
        optimizer={"name": "gd", "weight_decay": decay},
        predict=["linearized_trained"],
        linearized_run={"residual": 1e-7, "max_steps": 5000},
    )
    model = MLP((6, 24, 1), "relu", "ntk")
    theta = [w[0] for w in random_weights(model, 1)]
    x = torch.tensor(np.concatenate([SPLIT.x_train, SPLIT.x_test]))
    j = jacobian(Ensemble(model), theta, x).numpy()
    at = np.concatenate([w.numpy().ravel() for w in theta])
    f, n = np.concatenate([values["start_train"], values["start_test"]])[:, 0], 8
    right = j[:n].T @ (SPLIT.y_train[:, 0] - f[:n]) / n - 1e-2 * at
    u = np.linalg.solve(j[:n].T @ j[:n] / n + 1e-2 * np.eye(len(at)), right)
    assert values["linearized_trained_length"] == pytest.approx(np.linalg.norm(u), rel=1e-6)
    assert np.isnan(values["linearized_trained_test"]).all()  # decay keeps it from the targets


def test_a_run_that_does_not_converge_has_no_function():
    """NaN, with the residual and the steps it came to."""
    values = predicted(
        optimizer=ADAGRAD,
        predict=["linearized_trained", "preconditioned_end"],
        linearized_run={"max_steps": 7},
    )
    for name in ("linearized_trained", "preconditioned_end"):
        assert np.isnan(values[f"{name}_test"]).all()
        assert values[f"{name}_steps"] == 7
    assert 1e-4 < values["linearized_trained_residual"] < 1


def test_adagrad_at_rest_goes_on_to_its_limit():
    """From a residual r on the preconditioner is left as it is: what that misses falls as r²."""

    def end(residual):
        run = {"residual": residual}
        return predicted(optimizer=BOLD, predict=["linearized_trained"], linearized_run=run)

    first, second, last = map(end, (0.3, 0.03, 1e-5))
    early, late = (
        distance(run["linearized_trained_test"], last["linearized_trained_test"]) for run in (first, second)
    )
    assert 1e-6 < early < 0.1
    assert late < early / 30
    assert second["linearized_trained_residual"] < 1e-10
    assert second["linearized_trained_steps"] < last["linearized_trained_steps"]


def test_inputs_that_no_point_reaches_change_nothing(monkeypatch):
    """A pixel that is off in all training points is left out of the run, and may be on in a test point."""
    split = arrays(points=8, features=6, tests=5)
    split.x_train[:, 2] = 0
    asked = {
        "optimizer": BOLD,
        "predict": ["linearized_trained", "preconditioned_end"],
        "linearized_run": {"residual": 0.1},
    }
    without = predicted(split, **asked)
    monkeypatch.setattr(
        linear_model, "reached", lambda rows, _: [torch.arange(h.shape[2]) for h in rows.hidden]
    )
    whole = predicted(split, **asked)
    assert without["linearized_trained_steps"] == whole["linearized_trained_steps"] > 3
    for name in ("linearized_trained_test", "linearized_trained_length", "preconditioned_end_test"):
        np.testing.assert_allclose(without[name], whole[name], rtol=1e-9)


@pytest.mark.parametrize(
    "optimizer", [ADAGRAD, {"name": "adam", "lr": 0.002}, {"name": "rmsprop", "lr": 1e-4}]
)
def test_pythagoras(optimizer):
    """‖u‖² = ‖JᵀΘ⁻¹(e₀ − e)‖² + ‖u_⊥‖² to 1e-6: the first from the kernel and the errors alone; the adaptive
    solution is the longer one."""
    values = predicted(optimizer=optimizer, predict=["linearized", "linearized_trained"])
    length, along, across = (values[f"linearized_trained_{part}"] for part in ("length", "along", "across"))
    assert length**2 == pytest.approx(along**2 + across**2, rel=1e-6)
    assert along == pytest.approx(values["linearized_length"], rel=1e-3)
    assert length > 1.05 * values["linearized_length"]


# All of them


@pytest.mark.parametrize("scheme", ["antisymmetric", "centred"])
def test_predictions_do_not_depend_on_neighbours(scheme):
    """Alone or among others, whatever these need: 1e-9."""
    many = cells(
        seed={"start": 0, "count": 3},
        network={"width": 12},
        init={"scheme": scheme},
        optimizer={"name": "adagrad", "lr": 0.05, "batch_size": 4},
        stop=BARELY,
        linearized_run={"residual": 0.1, "max_steps": 2000},
        network_run={"tolerance": 0.2},
        predict=[*PREDICTORS],
    )
    splits = [arrays(points=8, features=6, tests=5, seed=i % 2) for i in range(len(many))]
    together = trained(many, splits)
    for values, one, split in zip(together, many, splits, strict=True):
        (alone,) = trained([one], [split])
        for name in PREDICTORS:
            for quantity in ("test", "steps", "length"):
                key = f"{name}_{quantity}"
                np.testing.assert_allclose(values[key], alone[key], rtol=1e-9, atol=1e-9, err_msg=key)


def test_every_predictor_says_everything():
    """All quantities, of all predictors, with their residuals where they should be."""
    values = predicted(
        optimizer=ADAGRAD,
        predict=[*PREDICTORS],
        linearized_run={"residual": 1e-4},
        network_run={"tolerance": 0.1},
    )
    for name in PREDICTORS:
        assert {f"{name}_{quantity}" for quantity in PREDICTED} <= set(values)
        assert np.isfinite(values[f"{name}_test"]).all()
        assert values[f"{name}_residual"] <= ENDS.get(name, 1e-7)


def test_wide_networks_train_to_what_is_predicted_for_their_method():
    """Under AdaGrad: nearer to the linearized network under AdaGrad than to gradient descent's limit."""
    fields = cell(
        network={"width": 2048},
        optimizer={"name": "adagrad", "lr": 0.003},
        predict=["linearized", "linearized_trained"],
        linearized_run={"residual": 1e-3},
    )
    (values,) = trained([fields], arrays(points=4, features=6, tests=5))
    own, other = (distance(values["test"], values[f"{n}_test"]) for n in ("linearized_trained", "linearized"))
    assert own < other / 2


def test_networks_that_no_step_moves_are_told():
    """A network that is 0 on all training points has no minimizer to predict: NaN or f₀, never an error."""
    here, _ = linearization(networks=2)
    dead = [weight.clone() for weight in here.weights]
    dead[0][0] = -dead[0][0].abs()
    x = here.x.abs()
    f, factors = factors_of(here.ensemble, dead, x)
    kernel = factors.first(here.points).kernel()
    both = Linearization(here.ensemble, dead, x, f, here.targets, kernel)
    alone = Linearization(here.ensemble, [w[1:] for w in dead], x[1:], f[1:], here.targets[1:], kernel[1:])
    found = limit_of_flow(both, Rule())
    assert not found.test[0].isfinite().all() or torch.equal(found.test[0], f[0, here.points :])
    torch.testing.assert_close(found.test[1:], limit_of_flow(alone, Rule()).test, rtol=1e-9, atol=1e-10)


def test_following_stops_at_its_residual():
    """Each network at its own piece, none later than it has to."""
    here, _ = linearization(networks=3)

    def to_a_hundredth(here):
        objective = here.objective
        goal = Goal(objective, 1e-4 * objective.value(here.f))
        end = follow(here.rows, here.f, Rule(), goal, 1.3)
        assert (objective.residual(here.f + here.rows.times(end.moved), here.f) <= 1e-2).all()
        return end

    end = to_a_hundredth(here)
    for i in range(3):
        part = Linearization(
            here.ensemble,
            [w[i : i + 1] for w in here.weights],
            here.x[i : i + 1],
            here.start[i : i + 1],
            here.targets[i : i + 1],
            here.kernel[i : i + 1],
        )
        alone = to_a_hundredth(part)
        assert alone.pieces.item() == end.pieces[i].item()
        torch.testing.assert_close(alone.moved[0], end.moved[i], rtol=1e-9, atol=1e-12)
