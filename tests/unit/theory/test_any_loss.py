"""Predictions under losses without minimizer, against plain descent on explicit linear models."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from tests.unit.engine.test_optimizers import TORCH, recipe
from tests.unit.helpers import arrays, cell, grid, trained
from tests.unit.predictions import distance, linearization

from minima.engine.core import Recipe
from minima.engine.losses import cross_entropy, exponential, logistic, mse
from minima.engine.optimizers import gd
from minima.engine.record import Rules
from minima.engine.schedules import cosine
from minima.plan.mistakes import ConfigError
from minima.theory import pieces
from minima.theory.descent import Descent, descend
from minima.theory.flows import Rule, limit_of_flow
from minima.theory.linearized_run import run
from minima.theory.losses import Goal, Objective
from minima.theory.pieces import AnyPiece, piece
from minima.theory.predictors import linearized, preconditioned_start

F64 = torch.float64
DIGITS = {"source": "digits", "classes": [3, 8], "labels": "sign", "train_size": 8, "test_size": 5}
LOSSES = {
    "logistic": (logistic.loss, 1),
    "exponential": (exponential.loss, 1),
    "cross_entropy": (cross_entropy.loss, 3),
}
# the losses as PyTorch has them, of f [n, o] and y
ORACLES = {
    "logistic": lambda f, y: torch.nn.functional.softplus(-y * f).mean(),
    "exponential": lambda f, y: torch.exp(-y * f).mean(),
    "cross_entropy": lambda f, y: torch.nn.functional.cross_entropy(f, y),
}


def labels(networks, points, outputs, seed=1):
    generator = torch.Generator().manual_seed(seed)
    if outputs == 1:
        return torch.randint(0, 2, (networks, points, 1), generator=generator).to(F64) * 2 - 1
    classes = torch.randint(0, outputs, (networks, points), generator=generator)
    return torch.nn.functional.one_hot(classes, outputs).to(F64)


def rules(networks=2, residual=-1.0, loss=-1.0, accuracy=None, max_steps=10**6):
    fill = lambda value: torch.full((networks,), value, dtype=F64)  # noqa: E731
    return Rules(fill(residual), fill(loss), max_steps, [], [], accuracy=accuracy and fill(accuracy))


def problem(name, stop, how=None, **shape):
    """Linearized networks under a loss, and their J by autograd [E, (n + t)·o, p]."""
    loss, outputs = LOSSES[name]
    here, rows = linearization(outputs=outputs, **shape)
    y = labels(len(here.x), here.points, outputs)
    how = Recipe(gd, {"lr": torch.full((len(y),), 0.1, dtype=F64)}, loss) if how is None else how
    return replace(here, targets=y, recipe=replace(how, loss=loss), rules=stop, found={}), rows


def loss_of(name, f, y):
    """L and ∂L/∂f in plain NumPy."""
    if name == "logistic":
        return np.logaddexp(0, -y * f).mean(), -y / (1 + np.exp(y * f)) / len(y)
    if name == "exponential":
        return np.exp(-y * f).mean(), -y * np.exp(-y * f) / len(y)
    p = np.exp(f - f.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    return -np.log((p * y).sum(1)).mean(), (p - y) / len(y)


def scipy_flow(name, j, f, y, goal, weights=1.0):
    """u of du/dt = −D ∂L/∂u on f₀ + Ju in SciPy, to a training loss."""

    def seen(u):
        return loss_of(name, f + (j @ u).reshape(y.shape), y)

    def there(_, u):
        return seen(u)[0] - goal

    there.terminal = True
    slope = lambda _, u: -weights * (j.T @ seen(u)[1].ravel())  # noqa: E731
    start = np.zeros(j.shape[1])
    path = solve_ivp(slope, (0, 1e9), start, "LSODA", events=there, rtol=1e-9, atol=1e-11)
    assert path.status == 1
    return path.y_events[0][0]


def one(here, rows, i):
    """J of the training points, f₀ of all, y and J of all points of network i, in NumPy."""
    j, f = rows[i].numpy(), here.start[i].numpy()
    return j[: here.targets[i].numel()], f, here.targets[i].numpy(), j


# Gradient flow


@pytest.mark.parametrize("start", ["f₀", "0"])
@pytest.mark.parametrize("goal", [0.3, 0.01])
@pytest.mark.parametrize("name", LOSSES)
def test_the_flow_ends_at_the_loss_where_training_does(name, goal, start):
    """u in the space of parameters by SciPy, to 1e-5, early and late; so is f on the test points."""
    here, rows = problem(name, rules(loss=goal))
    if start == "0":
        here = replace(here, start=torch.zeros_like(here.start))
    found = linearized.predict(here)
    for i in range(len(rows)):
        train, f, y, j = one(here, rows, i)
        u = scipy_flow(name, train, f[: len(y)], y, goal)
        assert distance(found.test[i].numpy(), (f + (j @ u).reshape(f.shape))[len(y) :]) < 1e-5
        assert found.length[i].item() == pytest.approx(np.linalg.norm(u), rel=1e-5)
        first, _ = loss_of(name, f[: len(y)], y)
        assert found.residual[i].item() == pytest.approx((goal / first) ** 0.5, rel=1e-9)


def test_descent_in_small_steps_comes_to_the_flow():
    """First order in η: plain gradient descent in NumPy, to the same loss."""
    here, rows = problem("logistic", rules(1, loss=0.2), networks=1)
    train, f, y, j = one(here, rows, 0)
    wanted, gaps = linearized.predict(here).test[0].numpy(), []
    for rate in (0.2, 0.02):
        u, value = np.zeros(j.shape[1]), np.inf
        while value > 0.2:
            value, slope = loss_of("logistic", f[: len(y)] + (train @ u).reshape(y.shape), y)
            u -= rate * (train.T @ slope.ravel())
        gaps.append(distance((f + (j @ u).reshape(f.shape))[len(y) :], wanted))
    assert gaps[1] < gaps[0] / 4
    assert gaps[1] < 5e-3


@pytest.mark.parametrize("name", LOSSES)
def test_residual_and_accuracy_are_goals_too(name):
    """residual² of the loss at the start; and the first time when all points are in the right class: just
    before, one is not."""
    here, _ = problem(name, rules(residual=0.2))
    torch.testing.assert_close(linearized.predict(here).residual, torch.full((2,), 0.2, dtype=F64))
    here, _ = problem(name, rules(accuracy=1.0))
    goal, f = here.goal, here.f
    descent = Descent(here.kernel, f, here.objective)
    path = descend(descent, torch.full((2,), torch.inf, dtype=F64), goal.met)
    assert path.met.all()
    assert not goal.met(f).any()
    assert goal.met(descent.f(path.dual(path.time))).all()
    assert not goal.met(descent.f(path.dual(path.time * (1 - 1e-9)))).any()


def test_without_a_goal_the_flow_lasts_as_long_as_training():
    """The sum of all learning rates of a schedule, times 1/(1 − μ): SGD at tiny steps comes to the same f."""
    numbers = {"lr": [0.01, 0.02], "momentum": [0.5, 0.0], "schedule.length": [500.0] * 2}
    how = recipe("heavy_ball", numbers, schedule=cosine.factor)
    here, _ = problem("logistic", rules(max_steps=500), how)
    flow, trained = linearized.predict(here), run(here).predicted
    assert trained.steps.tolist() == [500.0, 500.0]
    for i in range(2):
        assert distance(flow.test[i].numpy(), trained.test[i].numpy()) < 0.01


def test_a_goal_that_no_function_reaches_gives_no_prediction():
    """One point twice, with two labels: NaN, and how far the flow came; its neighbour in the stack is as it
    is alone."""
    here, _ = problem("logistic", rules(loss=0.05))
    kernel, f, y = here.kernel.clone(), here.start.clone(), here.targets.clone()
    kernel[0, 1], kernel[0, :, 1] = kernel[0, 0], kernel[0, :, 0]
    f[0, 1], y[0, 0], y[0, 1] = f[0, 0], 1, -1
    both = Descent(kernel, f[:, :6], Objective(logistic.loss, y))
    goal = Goal(both.objective, torch.full((2,), 0.05, dtype=F64))
    longest = torch.full((2,), torch.inf, dtype=F64)
    path = descend(both, longest, goal.met)
    assert path.met.tolist() == [False, True]
    least = both.objective.value(both.f(path.dual(path.time)))[0]
    assert 2 / 6 * np.log(2) <= least < 2 / 6 * np.log(2) + 0.01
    alone = descend(
        both.of(torch.tensor([1])), longest[1:], Goal(both.objective.of(torch.tensor([1])), goal.loss[1:]).met
    )
    torch.testing.assert_close(path.dual(path.time)[1:], alone.dual(alone.time), rtol=1e-9, atol=0)


def test_any_loss_with_a_slope_will_do():
    """A loss of the user's: the exponential one, its curvature by differences."""

    def loss(f, y, out=None):
        value = torch.exp(-y * f)
        return value.sum((1, 2)) / y.shape[1], torch.mul(-y, value, out=out).div_(y.shape[1])

    here, rows = problem("logistic", rules(1, loss=0.1), networks=1)
    here = replace(here, recipe=replace(here.recipe, loss=loss), found={})
    train, f, y, j = one(here, rows, 0)

    def there(_, u):
        return np.exp(-y.ravel() * (f[: len(y)].ravel() + train @ u)).mean() - 0.1

    there.terminal = True
    pull = lambda u: y.ravel() * np.exp(-y.ravel() * (f[: len(y)].ravel() + train @ u))  # noqa: E731
    path = solve_ivp(
        lambda _, u: train.T @ pull(u),
        (0, 1e9),
        np.zeros(j.shape[1]),
        "LSODA",
        events=there,
        rtol=1e-9,
        atol=1e-11,
    )
    wanted = (f + (j @ path.y_events[0][0])[:, None])[len(y) :]
    assert distance(linearized.predict(here).test[0].numpy(), wanted) < 1e-5


# Trained as the network is


@pytest.mark.parametrize("method", ["sgd", "heavy_ball", "adam", "adagrad"])
@pytest.mark.parametrize("name", LOSSES)
def test_linearized_training_is_that_of_an_explicit_linear_model(name, method):
    """PyTorch's optimizer and loss on f₀ + Ju, to the first step at the goal, 1e-9."""
    numbers, make = TORCH[method]
    numbers = {key: value[:2] for key, value in numbers.items()}
    goal = 0.4
    here, rows = problem(name, rules(loss=goal), recipe(method, numbers))
    found = run(here).predicted
    for i in range(2):
        train, f, y, j = (torch.tensor(part) for part in one(here, rows, i))
        u = torch.zeros(j.shape[1], dtype=F64, requires_grad=True)
        optimizer, steps = make([u], **{key: value[i] for key, value in numbers.items()}), 0
        while True:
            value = ORACLES[name](f[: len(y)] + (train @ u).view_as(y), y)
            if value <= goal:
                break
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            steps += 1
        assert found.steps[i] == steps > 10
        wanted = (f + (j @ u.detach()).view_as(f))[len(y) :]
        assert distance(found.test[i].numpy(), wanted.numpy()) < 1e-9


# Adaptive flows


@pytest.mark.parametrize("name", ["logistic", "cross_entropy"])  # the exponential asks for smaller steps
def test_adagrad_comes_to_its_flow_as_its_step_shrinks(name):
    """First order in η, to equal loss."""
    gaps = []
    for lr in (0.04, 0.02):
        how = recipe("adagrad", {"lr": [lr], "epsilon": [1e-10]})
        here, _ = problem(name, rules(1, loss=0.1), how, networks=1)
        flow = limit_of_flow(replace(here, growth=1.1), Rule())
        gaps.append(distance(run(here).predicted.test.numpy(), flow.test.numpy()))
    assert gaps[-1] < 0.02
    for gap, half in pairwise(gaps):
        assert 1.6 < gap / half < 2.5
    assert flow.residual.item() == pytest.approx((0.1 / here.objective.value(here.f).item()) ** 0.5, rel=1e-6)


def test_the_flow_of_any_loss_is_of_second_order_in_its_growth():
    """Distance to a much finer flow falls fourfold where growth − 1 is halved."""
    here, _ = problem("cross_entropy", rules(loss=0.05))
    finest, *coarse = (limit_of_flow(replace(here, growth=1 + g), Rule()).test for g in (0.05, 0.4, 0.2))
    first, half = (distance(test, finest) for test in coarse)
    assert 2.5 < first / half < 7


def test_a_piece_of_the_squared_error_is_its_closed_form(monkeypatch):
    """Followed as under any loss, without its closed form: f, e and u at several lengths, 1e-6."""
    monkeypatch.setattr(pieces, "TOLERANCE", 1e-6)
    here, rows = linearization(outputs=2)
    weights = torch.rand(2, rows.shape[2], dtype=F64)
    length = torch.tensor([0.7, 0.2], dtype=F64)

    def not_recognized(f, y, out=None):
        return mse.loss(f, y, out)

    closed, followed = (
        piece(here.rows, weights, Objective(loss, here.targets), here.f, length)
        for loss in (mse.loss, not_recognized)
    )
    assert isinstance(followed, AnyPiece)
    for part in (0.3, 1.0):
        for name in ("f", "error", "step"):
            a, b = (getattr(each, name)(part * length) for each in (followed, closed))
            assert distance(a, b) < 1e-6, name


def test_a_fixed_preconditioner_is_followed_to_the_goal():
    """u under D₀ = 1/|g₀| by SciPy, 1e-5."""
    here, rows = problem("logistic", rules(loss=0.1))
    found = preconditioned_start.predict(here)
    for i in range(2):
        train, f, y, j = one(here, rows, i)
        gradient = np.abs(train.T @ loss_of("logistic", f[: len(y)], y)[1].ravel())
        weights = np.divide(1, gradient, out=np.zeros_like(gradient), where=gradient > 0)
        u = scipy_flow("logistic", train, f[: len(y)], y, 0.1, weights)
        assert distance(found.test[i].numpy(), (f + (j @ u).reshape(f.shape))[len(y) :]) < 1e-5


# Cells


def test_a_cell_predicts_at_the_loss_where_its_network_stops():
    """Predictors by the names that a config has: the network's own flow is nearest, then that of its
    linearization under the same optimizer, then gradient flow's."""
    split = arrays(points=8, features=6, tests=5)
    signs = replace(split, y_train=np.sign(split.y_train), y_test=np.sign(split.y_test))
    names = ["network_flow", "linearized_trained", "linearized"]
    fields = cell(
        recipe=DIGITS,
        network={"width": 64},
        loss="logistic",
        optimizer={"name": "adagrad", "lr": 3e-3},
        stop={"residual": None, "loss": 0.2},
        predict=[*names, "interpolant", "adaptive_flow", "preconditioned_end"],
    )
    (values,) = trained([fields], signs)
    assert values["status"] == "converged"
    gaps = [distance(values[f"{name}_test"], values["test"]) for name in names]
    assert gaps == sorted(gaps)
    assert gaps[0] < 0.02
    for name in fields["predict"]:
        assert np.isfinite(values[f"{name}_test"]).all(), name


@pytest.mark.parametrize(
    ("predictor", "sections", "says"),
    [
        ("self_consistent", {}, "self_consistent is about loss: mse, as only its flow"),
        ("decayed", {}, "decayed is about loss: mse, as the pull"),
        ("adagrad_flow", {"stop": {"residual": None}}, "adagrad_flow ends where training does"),
        (
            "linearized",
            {"stop": {"residual": None}, "optimizer": {"name": "adam", "lr": 0.1}},
            "linearized ends",
        ),
    ],
)
def test_what_a_loss_without_minimizer_cannot_have_is_refused(predictor, sections, says):
    sections = {
        "loss": "logistic",
        "optimizer": {"name": "gd", "lr": 0.1},
        "recipe": DIGITS,
    } | sections
    with pytest.raises(ConfigError, match=says):
        grid(predict=[predictor], **sections)
    goal = {"residual": None, "loss": 0.1}
    grid(**(sections | {"predict": ["linearized", "linearized_trained", "adagrad_flow"], "stop": goal}))
