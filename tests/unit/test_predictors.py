"""Predicted minimizers: limits, identities and agreement with the runs they stand for, on small nets.

The kernel-only predictors are in test_linearized, the linear models and trajectories in test_linear_models.
"""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.integrate import quad_vec
from tests.unit.helpers import arrays, cell, cells, jacobian, trained
from tests.unit.helpers import weights as random_weights

from minima.engine.ensemble import Ensemble
from minima.engine.models.mlp import MLP
from minima.engine.tangent import jacobian as factors_of
from minima.theory import linearized_run
from minima.theory.fixed_point import self_consistent
from minima.theory.flows import LinearPath, Rule, follow, limit_of_flow
from minima.theory.jacobian import FlatJacobian
from minima.theory.linearization import Linearization
from minima.theory.predictors import preconditioned_start
from minima.variables import PREDICTED, PREDICTORS

SPLIT = arrays(points=8, features=6, tests=5)
NETWORK = {"width": 24}
BARELY = {"max_steps": 1}  # the network itself is not looked at
ADAGRAD = {"name": "adagrad", "lr": 0.02}
BOLD = {"name": "adagrad", "lr": 0.1}
FLOWS = ["adagrad_flow", "adaptive_flow", "self_consistent"]


def predicted(split=SPLIT, **sections):
    """One untrained cell's predictions."""
    sections = {"network": NETWORK, "stop": BARELY, "linearized_run": {"max_steps": 10**6}} | sections
    return trained([cell(**sections)], split)[0]


def distance(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def linearization(networks=2, points=6, features=5, outputs=1, width=20, seed=0):
    """Networks at random points and targets, and their J by autograd: [E, (n + t)·o, p]."""
    ensemble = Ensemble(MLP((features, width, outputs), "relu", "ntk"))
    theta = random_weights(ensemble.model, networks, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(networks, points + 4, features, generator=generator, dtype=torch.float64)
    x[:, :, 0] = 0  # an input that is always off
    targets = torch.randn(networks, points, outputs, generator=generator, dtype=torch.float64)
    f, factors = factors_of(ensemble, theta, x)
    kernel = factors.kernel(factors.first(points))
    rows = torch.stack([jacobian(ensemble, [w[i] for w in theta], x[i]) for i in range(networks)])
    return Linearization(ensemble, theta, x, f, targets, kernel), rows


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
    limit = here.of_dual(here.solve(here.within, here.error))
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
        linearized_run, "_reached", lambda here: [torch.arange(h.shape[2]) for h in here.factors.hidden]
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


# Flows


def test_the_flow_is_of_second_order_in_its_growth():
    """Distance to a much finer flow falls fourfold where growth − 1 is halved."""
    here, _ = linearization(points=8, width=40)
    finest, *coarse = (limit_of_flow(replace(here, growth=1 + g), Rule()).test for g in (0.02, 0.4, 0.2, 0.1))
    errors = [distance(test, finest) for test in coarse]
    assert errors[0] < 5e-3
    for coarse, fine in pairwise(errors):
        assert 2.8 < coarse / fine < 6


def test_adagrad_comes_to_its_flow_as_its_step_shrinks():
    """First order in η: the distance of the run from the flow's limit halves with η."""
    gaps = []
    for lr in (0.08, 0.04, 0.02):
        values = predicted(optimizer=ADAGRAD | {"lr": lr}, predict=["linearized_trained", "adagrad_flow"])
        gaps.append(distance(values["linearized_trained_test"], values["adagrad_flow_test"]))
    assert gaps[-1] < 0.03
    for gap, half in pairwise(gaps):
        assert 1.6 < gap / half < 2.5


@pytest.mark.parametrize(
    ("optimizer", "close"),
    [
        ({"name": "rmsprop", "lr": 2e-4, "alpha": 0.999}, 4e-3),
        ({"name": "adam", "lr": 5e-4, "beta1": 0.0}, 5e-3),
    ],
)
def test_other_methods_come_to_their_own_flow(optimizer, close):
    """RMSprop and Adam at a small step: their own flow's limit, which is not AdaGrad's."""
    values = predicted(optimizer=optimizer, predict=["linearized_trained", "adaptive_flow", "adagrad_flow"])
    near, far = (
        distance(values["linearized_trained_test"], values[f"{n}_flow_test"]) for n in ("adaptive", "adagrad")
    )
    assert near < min(close, far / 2)


def test_batches_are_averaged():
    """Mini-batch AdaGrad at a small step ends at the averaged flow, away from full-batch AdaGrad's; with
    the batch of all points the two flows are one."""
    optimizer = {"name": "adagrad", "lr": 0.02, "batch_size": 2}
    names = ["linearized_trained", "adaptive_flow", "adagrad_flow"]
    values = predicted(optimizer=optimizer, predict=names, linearized_run={"residual": 0.01})
    averaged = distance(values["linearized_trained_test"], values["adaptive_flow_test"])
    full = distance(values["linearized_trained_test"], values["adagrad_flow_test"])
    assert averaged < full / 3
    whole = predicted(optimizer=optimizer | {"batch_size": 8}, predict=names[1:])
    np.testing.assert_allclose(whole["adaptive_flow_test"], whole["adagrad_flow_test"], rtol=1e-10)


def test_with_the_preconditioner_of_the_start_the_flow_is_another():
    """The control of the integrator: D frozen at D(0) ends far from it."""
    here, _ = linearization(points=8, width=40)
    flow, frozen = limit_of_flow(here, Rule()), preconditioned_start.predict(here)
    assert distance(frozen.test, flow.test) > 0.1


def test_the_relinearized_flow_is_where_the_network_goes():
    """A narrow network far from lazy: small-step AdaGrad on it ends near the network's own flow, and far
    from the linearized network's."""
    fields = cell(
        network=NETWORK,
        optimizer={"name": "adagrad", "lr": 0.01},
        stop={"residual": 1e-2},
        predict=["relinearized_flow", "adagrad_flow"],
    )
    (values,) = trained([fields], SPLIT)
    assert values["status"] == "converged"
    near = distance(values["relinearized_flow_test"], values["test"])
    assert near < 0.05
    assert near < distance(values["adagrad_flow_test"], values["test"]) / 4


# The fixed point


def test_the_fixed_point_gathers_what_makes_it():
    """D = 1/√(∫ g² dt) for the flow under D itself, the integral by SciPy; 0 where no gradient comes."""
    here, rows = linearization(networks=1)
    found = self_consistent(here.rows, here.error)
    assert float(found.change) <= 1e-8
    j, d = rows[0, : here.points].numpy(), found.weights[0].numpy()
    e = here.error[0].flatten().numpy()
    rates, basis = np.linalg.eigh((j * d) @ j.T)

    def squares(log_time):
        time = np.exp(log_time)
        return (j.T @ (basis @ (np.exp(-rates * time) * (basis.T @ e)))) ** 2 * time

    gathered, _ = quad_vec(squares, np.log(1e-9 / rates[-1]), np.log(60 / rates[0]), epsrel=1e-10)
    dead = np.abs(j).sum(0) == 0
    assert dead.any()
    assert (d[dead] == 0).all()
    np.testing.assert_allclose(d[~dead], gathered[~dead] ** -0.5, rtol=1e-5)


def test_the_fixed_point_explains_most_of_adagrads_shift():
    """Its distance to the flow's limit is less than a third of gradient descent's; 1/|g₀| is further away."""
    here, rows = linearization(points=10, width=64)
    flow = limit_of_flow(here, Rule()).test
    gd = here.of_weights(torch.ones_like(rows[:, 0])).test
    fixed = here.of_weights(self_consistent(here.rows, here.error).weights).test
    for i in range(2):
        shift = distance(gd[i], flow[i])
        assert distance(fixed[i], flow[i]) < shift / 3
        assert distance(preconditioned_start.predict(here).test[i], flow[i]) > shift


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
    values = predicted(optimizer=ADAGRAD, predict=[*PREDICTORS], linearized_run={"residual": 1e-4})
    for name in PREDICTORS:
        assert {f"{name}_{quantity}" for quantity in PREDICTED} <= set(values)
        assert np.isfinite(values[f"{name}_test"]).all()
        assert values[f"{name}_residual"] <= {"relinearized_flow": 1e-3, "linearized_trained": 1e-4}.get(
            name, 1e-7
        )


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
    kernel = factors.kernel(factors.first(here.points))
    both = Linearization(here.ensemble, dead, x, f, here.targets, kernel)
    alone = Linearization(here.ensemble, [w[1:] for w in dead], x[1:], f[1:], here.targets[1:], kernel[1:])
    found = limit_of_flow(both, Rule())
    assert not found.test[0].isfinite().all() or torch.equal(found.test[0], f[0, here.points :])
    torch.testing.assert_close(found.test[1:], limit_of_flow(alone, Rule()).test, rtol=1e-9, atol=1e-10)


def test_following_stops_at_its_residual():
    """Each network at its own piece, none later than it has to."""
    here, _ = linearization(networks=3)
    end = follow(LinearPath(FlatJacobian(here.factors.first(here.points)), here.error), Rule(), 1e-2, 1.3)
    assert (end.residual <= 1e-2).all()
    for i in range(3):
        part = Linearization(
            here.ensemble,
            [w[i : i + 1] for w in here.weights],
            here.x[i : i + 1],
            here.start[i : i + 1],
            here.targets[i : i + 1],
            here.kernel[i : i + 1],
        )
        alone = follow(LinearPath(part.rows, part.error), Rule(), 1e-2, 1.3)
        assert alone.pieces.item() == end.pieces[i].item()
        torch.testing.assert_close(alone.point.moved[0], end.point.moved[i], rtol=1e-9, atol=1e-12)
