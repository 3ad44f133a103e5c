"""Rates that theory names, and the optimizer that reads the loss: each network by plain loops."""

import numpy as np
import pytest
from tests.unit.helpers import arrays, cell, cells, grid, trained
from tests.unit.linear_descent import loss_of, polynomial, roots, written_out

from minima.plan import fingerprint as fp
from minima.plan.cost import at_most, work
from minima.plan.mistakes import ConfigError
from minima.streams import stream

N, WIDTH, STEPS = 4, 30, 12
LINEAR = {"activation": "linear", "depth": 2, "width": WIDTH, "parametrization": "none"}
SPLIT = arrays(points=N, outputs=2, features=N, seed=4)
SECTIONS = {
    "network": LINEAR,
    "predict": [],
    "stop": {"residual": None, "max_steps": STEPS},
    "record": {"steps": list(range(STEPS + 1)), "residuals": []},
}
BOUNDS = {"c1": 0.6, "c2": 1.4}


def start(seed=0):
    """X, Y, W1 and W2 of a cell, by its streams."""
    first = stream(seed, "weights/0").standard_normal((WIDTH, N)).T
    second = stream(seed, "weights/1").standard_normal((2, WIDTH)).T
    return SPLIT.x_train, SPLIT.y_train, first, second


def largest(where, c1, c2):
    """ηmax, by companion matrices."""
    _, _, alpha, _, beta = written_out(*where)
    loss, top = loss_of(*where), np.linalg.svd(where[0], compute_uv=False)[0] ** 2
    a1, a2, a3, a4 = polynomial(*where, c1, c2, loss)
    more = 4 * c2 * loss * top / (c2 - 1), 8 * c2 * beta * loss * top / ((1 - c1) * alpha)
    return min(roots(a4, a3, a2 + one, -a1) for one in more)


def best(where, c1, c2, now):
    a1, a2, a3, a4 = polynomial(*where, c1, c2, now)
    return roots(4 * a4, 3 * a3, 2 * a2, -a1)


def descended(where, rates):
    """The loss at every step of gradient descent, a step of L at each of the rates."""
    x, y, first, second = where
    losses = [loss_of(*where)]
    for rate in rates:
        eta = rate(losses[-1])
        force = x.T @ (y - x @ first @ second)
        first, second = first + eta * force @ second.T, second + eta * first.T @ force
        losses.append(loss_of(x, y, first, second))
    return np.array(losses)


def rate_of(seed=0, **lr):
    (values,) = trained([cell(seed=seed, optimizer={"name": "gd", "lr": lr}, **SECTIONS)], SPLIT)
    return values["learning_rate"], values["loss"]


def kernel(where):
    x, _, first, second = where
    units = x @ first @ first.T @ x.T
    return np.kron(units, np.eye(2)) + np.kron(x @ x.T, second.T @ second)


@pytest.mark.parametrize("times", [1.0, 0.05])
def test_rates_are_those_of_the_network_times_a_number(times):
    """As their formulas have them, N times the step of ½‖Y − XW‖², each seed its own."""
    for seed in (0, 1):
        where = start(seed)
        bound = largest(where, **BOUNDS)
        spectrum = np.linalg.eigvalsh(kernel(where))
        wanted = {
            "largest_descent": bound,
            "first_descent": min(bound, best(where, *BOUNDS.values(), loss_of(*where))),
            "best_constant": 2 / (spectrum[0] + spectrum[-1]),
            "inverse_norm": 0.01 / np.linalg.norm(SPLIT.y_train),
        }
        for name, eta in wanted.items():
            own = BOUNDS if name.endswith("descent") else {}
            found, losses = rate_of(seed, rate=name, times=times, **own)
            assert found == pytest.approx(N * times * eta, rel=1e-9)
            by_hand = descended(where, [lambda _, eta=eta: times * eta] * STEPS) / N
            np.testing.assert_allclose(losses, by_hand, rtol=1e-9)


def test_a_theorem_that_allows_no_step_says_so():
    """Far from the targets p1 is 0."""
    with pytest.raises(ValueError, match=r"pessimistic allows no step: .* nearer to the targets"):
        rate_of(rate="pessimistic")


def test_the_pessimistic_rate_near_the_targets():
    where = start()
    x, _, first, second = where
    near = SPLIT.__class__(x, x @ first @ second + 1e-3, SPLIT.x_test, SPLIT.y_test)
    optimizer = {"name": "gd", "lr": {"rate": "pessimistic"}}
    (values,) = trained([cell(optimizer=optimizer, **SECTIONS)], near)
    p1 = written_out(x, near.y_train, first, second)[0]
    wanted = N * p1**3 / (6144 * 8 * np.linalg.norm(near.y_train) ** 4)
    assert values["learning_rate"] == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("probes", [[], ["norm"]])
def test_the_steps_that_lower_the_bound_are_algorithm_1(probes):
    """Written as a loop, of several networks that stop at different steps; narrow, and in their own
    coordinates where a probe looks at these."""
    many = cells(
        seed={"start": 0, "count": 3},
        axes={"optimizer.c1": [0.5, 0.9], "stop.loss": [1e-9, 0.4]},
        optimizer={"name": "descent_bound", "c2": 1.2},
        **SECTIONS | {"record": SECTIONS["record"] | {"probes": probes}},
    )
    ends = set()
    for one, values in zip(many, trained(many, SPLIT), strict=True):
        where, c1 = start(one["seed"]), one["optimizer"]["c1"]
        cap = largest(where, c1, 1.2)
        steps = [lambda loss, w=where, c=c1, top=cap: min(top, best(w, c, 1.2, loss))] * STEPS
        wanted = descended(where, steps) / N
        assert values["learning_rate"] == pytest.approx(N * cap, rel=1e-9)
        taken = values["steps"]
        ends.add(taken)
        np.testing.assert_allclose(values["loss"][: taken + 1], wanted[: taken + 1], rtol=1e-9)
    assert STEPS in ends


def test_the_optimizers_constants_are_those_of_its_largest_step():
    """Also along an axis, and not of a rate that knows none."""
    many = cells({"optimizer.c1": [0.5, 0.9]}, optimizer={"name": "descent_bound"}, **SECTIONS)
    for one in many:
        assert one["optimizer"]["lr"]["c1"] == one["optimizer"]["c1"]
    given = cell(optimizer={"name": "descent_bound", "c1": 0.7, "lr": {"relative": 0.1}}, **SECTIONS)
    assert given["optimizer"]["lr"] == {"relative": 0.1}


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"network": LINEAR | {"activation": "tanh"}}, "is for two linear layers"),
        ({"network": LINEAR | {"frozen": [2]}}, "is for two layers that are both trained"),
        ({"init": {"scheme": "antisymmetric"}}, "is about one network"),
        ({"loss": "logistic"}, "is about loss: mse"),
    ],
)
@pytest.mark.parametrize(
    "optimizer",
    [
        {"name": "descent_bound"},
        {"name": "heavy_ball", "lr": {"rate": "largest_descent"}},
        {"name": "gd", "lr": {"rate": "inverse_norm"}},
    ],
)
def test_what_the_theorems_do_not_know_is_refused(optimizer, sections, words):
    name = optimizer.get("lr", {"rate": "descent_bound"})["rate"]
    with pytest.raises(ConfigError, match=f"{name} {words}"):
        grid(**({"network": LINEAR, "predict": [], "optimizer": optimizer} | sections))


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"optimizer": {"batch_size": 2}}, "batch_size: descent_bound reads the loss of all points"),
        ({"optimizer": {"weight_decay": {"strength": 0.1}}}, "weight_decay: the bound of descent_bound"),
        ({"predict": ["linearized_trained"]}, "linearized_trained would take the steps"),
    ],
)
def test_what_the_optimizer_does_not_take_is_refused(sections, words):
    optimizer = {"name": "descent_bound"} | sections.pop("optimizer", {})
    with pytest.raises(ConfigError, match=words):
        grid(**{"network": LINEAR, "predict": [], "optimizer": optimizer} | sections)


def test_a_rate_is_code_of_the_cells_that_use_it_alone():
    """And what its optimizer asks of a start."""

    def used(**optimizer):
        return set(fp.code_used(fp.training_modules(cell(optimizer=optimizer, **SECTIONS))))

    named = {f"minima.theory.rates.{name}" for name in ("largest_descent", "best_constant")}
    starts = "minima.theory.descent_starts"
    plain, best = used(name="gd", lr=0.1), used(name="gd", lr={"rate": "best_constant"})
    assert not (named | {starts}) & plain
    assert best - plain == {"minima.theory.rates.best_constant"}
    adaptive = used(name="descent_bound")
    assert {"minima.theory.rates.largest_descent", starts} <= adaptive
    assert "minima.theory.rates.best_constant" not in adaptive


def test_the_kernel_is_computed_where_a_rate_asks_for_it():
    """And its work is priced there."""
    priced, stored = {}, {}
    for name in ("best_constant", "largest_descent"):
        one = grid(optimizer={"lr": {"rate": name}}, **SECTIONS).cells[0]
        priced[name] = work(one, at_most(one)).get("flop_kernel", 0)
        (values,) = trained([one.values], SPLIT)
        stored[name] = "kernel_min" in values
    assert stored == {"best_constant": True, "largest_descent": False}
    assert priced["best_constant"] > priced["largest_descent"] == 0
