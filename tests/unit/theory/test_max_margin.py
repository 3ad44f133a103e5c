"""Directions of greatest margin, against SciPy on their primal problems and against long descent."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import linprog, minimize
from tests.unit.helpers import arrays, cell, cells, grid, predictors, trained
from tests.unit.predictions import distance
from tests.unit.theory.test_any_loss import DIGITS, F64, LOSSES, labels, problem, rules

from minima.engine.margins import margins
from minima.plan.cost import kernel_problem
from minima.plan.mistakes import ConfigError
from minima.theory.max_margin import least_maximum, least_norm
from minima.theory.predictors import linearized, max_margin_l2, max_margin_linf

PREDICTORS = {"l2": max_margin_l2, "linf": max_margin_linf}


def features(outputs, points=8, parameters=30, seed=0):
    """J [1, n, o, p] and labels y [1, n, o]."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(1, points, outputs, parameters, generator=generator, dtype=F64)
    return rows, labels(1, points, outputs)


def margin_rows(rows, y):
    """The margins as rows over u, point by point, in plain NumPy."""
    found = []
    for j, own in zip(rows[0].numpy(), y[0].numpy(), strict=True):
        if len(own) == 1:
            found.append(own[0] * j[0])
        else:
            found += [j[own.argmax()] - j[k] for k in range(len(own)) if k != own.argmax()]
    return np.array(found)


@pytest.mark.parametrize("outputs", [1, 3])
def test_margins_are_distances_to_other_classes(outputs):
    """y f of one output, f_y − f_k of several."""
    rows, y = features(outputs)
    u = torch.randn(1, 30, dtype=F64, generator=torch.Generator().manual_seed(1))
    f = torch.einsum("enop,ep->eno", rows, u)
    np.testing.assert_allclose(margins(f, y).flatten(), margin_rows(rows, y) @ u[0].numpy(), rtol=1e-12)


@pytest.mark.parametrize("parameters", [9, 30])
@pytest.mark.parametrize("outputs", [1, 3])
def test_the_shortest_u_with_all_margins_is_that_of_the_primal(outputs, parameters):
    """min ‖u‖₂ with margins ≥ 1, by SLSQP: also where few of the points bind."""
    rows, y = features(outputs, points=4, parameters=parameters)
    flat, wanted_rows = rows.flatten(1, 2), margin_rows(rows, y)
    dual = least_norm(flat @ flat.mT, y)
    u = (flat.mT @ dual.flatten(1)[:, :, None])[0, :, 0].numpy()
    margin = {"type": "ineq", "fun": lambda u: wanted_rows @ u - 1, "jac": lambda u: wanted_rows}
    start = np.linalg.pinv(wanted_rows) @ np.ones(len(wanted_rows))
    wanted = minimize(
        lambda u: u @ u / 2,
        start,
        jac=lambda u: u,
        constraints=margin,
        method="SLSQP",
        options={"ftol": 1e-14},
    )
    assert (wanted_rows @ u).min() == pytest.approx(1, abs=1e-9)
    assert distance(u, wanted.x) < 1e-5


@pytest.mark.parametrize("outputs", [1, 3])
def test_the_least_maximum_is_that_of_the_primal(outputs):
    """min t with |u| ≤ t and margins ≥ 1, as a linear program of its own."""
    rows, y = features(outputs)
    u = least_maximum(rows.flatten(1, 2), y)[0].numpy()
    wanted_rows = margin_rows(rows, y)
    count, size = wanted_rows.shape
    one, column = np.eye(size), np.ones((size, 1))
    above = np.block([[-wanted_rows, np.zeros((count, 1))], [one, -column], [-one, -column]])
    wanted = linprog(
        np.append(np.zeros(size), 1),
        above,
        np.append(-np.ones(count), np.zeros(2 * size)),
        bounds=(None, None),
    )
    assert (wanted_rows @ u).min() == pytest.approx(1, abs=1e-9)
    assert np.abs(u).max() == pytest.approx(wanted.fun, rel=1e-9)


def test_classes_that_no_u_separates_have_no_direction():
    """One point twice, with two labels: NaN, beside a network that has one."""
    rows, y = features(1, points=4)
    twice, signs = rows.clone(), y.clone()
    twice[0, 1], signs[0, 0], signs[0, 1] = twice[0, 0], 1, -1
    flat = torch.cat([twice, rows]).flatten(1, 2)
    both = torch.cat([signs, y])
    for found in (least_norm(flat @ flat.mT, both), least_maximum(flat, both)):
        assert found[0].isnan().all()
        assert found[1].isfinite().all()


@pytest.mark.parametrize("name", LOSSES)
def test_gradient_flow_goes_on_to_the_direction_of_greatest_margin_in_l2(name):
    """The margin over ‖u‖ rises to the greatest as the loss falls, and never above it; f turns to its own
    direction, in which it ends: cosines on the test points."""
    reached, angles = [], []
    for goal in (1e-1, 1e-4, 1e-12):
        here, _ = problem(name, rules(loss=goal))
        here = replace(here, start=torch.zeros_like(here.start))
        flow, most = linearized.predict(here), max_margin_l2.predict(here)
        reached.append((flow.margin / most.margin).min().item())
        angles.append(torch.cosine_similarity(flow.test.flatten(1), most.test.flatten(1)).min().item())
    assert reached == sorted(reached)
    assert 0.95 < reached[-1] <= 1 + 1e-9
    assert angles == sorted(angles)
    assert angles[-1] > 0.99


def test_the_point_on_the_ray_has_the_loss_where_training_ends():
    """residual of both norms, f₀ included; the ℓ∞ direction has less margin over ‖u‖₂ than that of ℓ2."""
    here, _ = problem("cross_entropy", rules(loss=0.05))
    found = {name: each.predict(here) for name, each in PREDICTORS.items()}
    wanted = (0.05 / here.objective.value(here.f)).sqrt()
    for each in found.values():
        torch.testing.assert_close(each.residual, wanted, rtol=1e-6, atol=0)
    assert (found["linf"].margin < found["l2"].margin).all()


def test_sign_descent_on_a_linear_model_goes_on_to_the_direction_in_linf():
    """Steps of equal size in the sign of the gradient, in plain torch: the margin over ‖u‖_∞ comes to the
    greatest, which gradient descent's does not."""
    rows, y = features(1, points=5, parameters=12)
    j = rows[0, :, 0]

    def margin(u):
        return ((j @ u) * y[0, :, 0]).min() / u.abs().max()

    most = margin(least_maximum(rows.flatten(1, 2), y)[0])
    u = torch.zeros(12, dtype=F64)
    for step in range(20_000):
        slope = -(y[0, :, 0] * torch.sigmoid(-y[0, :, 0] * (j @ u))) @ j
        u -= 0.1 / (1 + step) ** 0.5 * slope.sign()
    assert 0.97 * most < margin(u) <= most * (1 + 1e-9)
    flat = rows.flatten(1, 2)
    shortest = flat[0].T @ least_norm(flat @ flat.mT, y)[0, :, 0]
    assert margin(shortest) < 0.97 * most


def test_a_cell_has_both_directions_and_the_margin_of_its_network():
    """By the names that a config has; the probe is the least margin over the root mean square of f."""
    split = arrays(points=8, features=6, tests=5)
    signs = replace(split, y_train=np.sign(split.y_train), y_test=np.sign(split.y_test))
    fields = cell(
        recipe=DIGITS,
        network={"width": 64},
        loss="logistic",
        optimizer={"name": "gd", "lr": 1.0},
        stop={"residual": None, "loss": 0.05},
        record={"probes": ["margin"], "steps": [0]},
        predict=["linearized", "max_margin_l2", "max_margin_linf"],
    )
    (values,) = trained([fields], signs)
    f, y = values["start_train"], signs.y_train
    assert values["margin_path"][0] == pytest.approx((y * f).min() / np.sqrt((f**2).mean()), rel=1e-9)
    assert values["linearized_margin"] < values["max_margin_l2_margin"]
    assert values["max_margin_linf_margin"] < values["max_margin_l2_margin"]


def test_predictions_under_any_loss_do_not_depend_on_neighbours():
    """Every predictor that knows a loss without minimizer, alone or among others: 1e-9."""
    names = predictors("logistic")
    many = cells(
        seed={"start": 0, "count": 2},
        recipe=DIGITS,
        network={"width": 12},
        loss="logistic",
        optimizer={"name": "adagrad", "lr": 0.05},
        stop={"residual": None, "loss": 0.3, "max_steps": 1},
        predict=names,
    )
    split = arrays(points=8, features=6, tests=5)
    signs = replace(split, y_train=np.sign(split.y_train), y_test=np.sign(split.y_test))
    for values, fields in zip(trained(many, signs), many, strict=True):
        (alone,) = trained([fields], signs)
        for name in names:
            assert np.isfinite(values[f"{name}_test"]).all(), name
            for quantity in ("test", "residual", "length", "margin"):
                key = f"{name}_{quantity}"
                np.testing.assert_allclose(values[key], alone[key], rtol=1e-9, atol=1e-9, err_msg=key)


def test_a_jacobian_that_does_not_fit_is_said_before_training():
    """Four times J of 8 points as a matrix: told how many fit what is there. ℓ2 needs the kernel alone."""
    fields = {
        "recipe": DIGITS,
        "network": {"width": 4000},
        "loss": "logistic",
        "optimizer": {"name": "gd", "lr": 1.0},
        "init": {"scheme": "gaussian"},
    }
    asked, other = (grid(predict=[name], **fields).cells for name in ("max_margin_linf", "max_margin_l2"))
    size = 4 * 8 * (64 * 4000 + 4000) / 1e9  # of a point
    assert not kernel_problem(asked, 8.1 * size)
    assert "6 points would fit" in kernel_problem(asked, 6.1 * size)
    assert not kernel_problem(other, 6.1 * size)


def test_the_squared_error_has_no_direction():
    with pytest.raises(
        ConfigError,
        match="max_margin_l2 is where cross_entropy, exponential, logistic go on to, not loss: mse",
    ):
        grid(predict=["max_margin_l2"])
