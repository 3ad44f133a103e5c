"""Estimands of `finite_steps` in worlds whose truth is known: each finds it, and where it is missing too."""

import json
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from minima.findings.drawing import read_table
from minima.findings.stats import NotEstimable
from minima.plan.register import known_estimands
from studies.finite_steps import estimands as ask
from studies.finite_steps.figures import (
    drift_vs_first_order,
    factor_vs_condition,
    loss_by_rule,
    loss_vs_step_bound,
)

pytestmark = pytest.mark.filterwarnings("error")
SEEDS, N = np.arange(5), 20
P1, P2, ALPHA, COVERED, BETA, MU, K = 0.5, 3.0, 2.0, 1.0, 4.0, 1.0, 2.0
FIRST_LOSS, ETA = 0.8, 0.01
C1, C2 = 0.5, 1.5


def f(eta, loss, alpha=ALPHA, c1=C1, c2=C2):
    """(26) and (27), as printed."""
    kappa = K / MU
    a1 = 2 * c1 * alpha * MU
    a2 = 2 * P2 * sqrt(2 * kappa * loss * MU**3) + kappa * MU**2 * (c2 * BETA) ** 2
    a3 = 2 * c2 * BETA * P2 * sqrt(2 * kappa**3 * loss * MU**5)
    a4 = 2 * kappa**2 * MU**3 * P2**2 * loss
    return 1 - a1 * eta + a2 * eta**2 + a3 * eta**3 + a4 * eta**4


def block(variables, coords, status="converged", **sections):
    """A block with these dimensions, steps and what comes after them aside."""
    dims = tuple(dim for dim in coords if dim != "step")
    found = np.full([len(coords[dim]) for dim in dims], status)
    given = {"data": {"train_size": N}, "optimizer": {"name": "gd", "lr": {"c1": C1, "c2": C2}}} | sections
    world = {name: ((*dims, *more), values) for name, (more, values) in variables.items()}
    return xr.Dataset(world | {"status": (dims, found)}, coords, {"fixed": json.dumps(given)})


def bounded(power=2.0, steps=40, eta=ETA, least=1.2, alpha=ALPHA, c1=C1, c2=C2, adaptive=False):
    """Networks whose step leaves f(η, L) to the `power` of the loss, f with the constant `alpha`, and whose
    λmin(τ) is `least` times c1 · `alpha`."""
    loss, rates = [FIRST_LOSS], []
    grid = np.linspace(0, eta, 20_001)
    for _ in range(steps):
        rates.append(grid[np.argmin(f(grid, loss[-1], alpha, c1, c2))] if adaptive else eta)
        loss.append(loss[-1] * f(rates[-1], loss[-1], alpha, c1, c2) ** power)
    shape = (1, len(SEEDS), steps + 1)
    constants = np.full((*shape, 9), np.nan)  # measured once
    constants[:, :, 0] = P1, P2, ALPHA, COVERED, BETA, MU, K, 0.6, 2.0
    extremes = np.broadcast_to([least * c1 * alpha, 0.9 * c2 * BETA], (*shape, 2))
    chosen = {"c1": c1, "c2": c2}
    optimizer = {"name": "descent_bound", **chosen} if adaptive else {"name": "gd", "lr": chosen}
    drift = np.linspace(0, 1e-3, steps + 1)
    variables = {
        "loss": (("step",), np.broadcast_to(np.array(loss) / N, shape)),
        "descent_constants_path": (("step", "constant"), constants),
        "operator_extremes_path": (("step", "extreme"), extremes),
        "product_extremes_path": (("step", "extreme"), np.broadcast_to([0.6, 2.4], (*shape, 2))),
        "imbalance_path": (("step",), np.broadcast_to(drift, shape)),
        "imbalance_norm_path": (("step",), np.broadcast_to(5 - drift, shape)),
        "learning_rate": ((), np.full(shape[:2], eta * N)),
    }
    coords = {"layer_scales": ["2, 0.5"], "seed": SEEDS, "step": np.arange(steps + 1)}
    return block(variables, coords, optimizer=optimizer)


RATES = np.array([0.0125, 0.025, 0.05, 0.1, 0.2])
J, NORM = 7.0, 3.0


def drifting(power=1.0):
    """A drift of lr/N · J (1 + lr^power/2) of a D of norm 3; each network runs a step less than the last."""
    shape = (len(RATES), len(SEEDS), 4)
    over = RATES / N * J * (1 + RATES**power / 2) / NORM
    path = over[:, None, None] * np.array([0, 0.5, 1, np.nan]) * np.ones(shape)
    variables = {
        "imbalance_path": (("step",), path),
        "imbalance_norm_path": (("step",), np.broadcast_to([NORM, 2.99, 2.98, 2.97], shape)),
        "learning_rate": ((), np.broadcast_to(RATES[:, None], shape[:2])),
    }
    return block(variables, {"lr": RATES, "seed": SEEDS, "step": np.arange(4)})


def start():
    found = np.full((len(SEEDS), 1), J)
    return block({"drift_constant_path": (("step",), found)}, {"seed": SEEDS, "step": [0]}, "stopped")


def norms(path, loss=(1.0, 1e-3, 1e-5, 1e-8)):
    shape = (len(SEEDS), len(path))
    variables = {
        "imbalance_norm_path": (("step",), np.broadcast_to(np.array(path), shape)),
        "loss": (("step",), np.broadcast_to(np.array(loss)[: len(path)], shape)),
    }
    return block(variables, {"seed": SEEDS, "step": np.arange(len(path))})


RULES = {"adaptive": 0.9, "first": 0.91, "largest": 0.85, "arora": 0.9999, "du": 0.9995}


def rules(where="off", labels=(0.01, 0.05)):
    """Networks whose loss falls by these factors per step; a ten-thousandth is the end."""
    factors = np.array(list(RULES.values()))
    steps = np.array([0, 1, 10, 50, 100, 150, 200, 300])
    shape = (len(labels), len(RULES), len(SEEDS))
    needed = np.ceil(np.log(1e-4) / np.log(factors))
    loss = factors[:, None, None] ** steps * np.ones((*shape, len(steps)))
    variables = {
        "loss": (("step",), np.where(steps <= needed[:, None, None], loss, np.nan)),
        "steps": ((), np.broadcast_to(needed[:, None], shape)),
    }
    return block(variables, {where: list(labels), "optimizer": list(RULES), "seed": SEEDS, "step": steps})


def square_rules():
    return rules("layer_scales", ["2, 0.5"]).expand_dims(condition=[1, 2])


def best(factors=(0.3, 1e-3)):
    """Networks of κ = 2 whose step leaves these factors of the loss; what falls below 1e-20 is flat."""
    steps = np.array([0, 1, 5, 20, 100])
    loss = np.maximum(np.array(factors)[:, None] ** steps, 1e-22)[:, None, None]
    shape = (len(factors), 1, len(SEEDS), len(steps))
    constants = np.broadcast_to([P1, P2, ALPHA, COVERED, BETA, MU, K, 0.6, 2.4], (*shape, 9))
    variables = {
        "loss": (("step",), np.broadcast_to(loss, shape)),
        "descent_constants_path": (("step", "constant"), constants),
    }
    inits = ["gaussian", "whitening"][: len(factors)]
    return block(variables, {"init": inits, "condition": [2], "seed": SEEDS, "step": steps})


def square(**more):
    return bounded(**more).expand_dims(condition=[1, 2])


def near():
    return bounded().rename(layer_scales="off").assign_coords(off=[0.05])


def tree(**more):
    nodes = {
        "digits": drifting(),
        "digits_start": start(),
        "square": square(),
        "square_adaptive": square(adaptive=True),
        "near": near(),
        "square_rules": square_rules(),
        "near_rules": rules(),
        "best": best(),
        "best_bound": best([0.6]).isel(init=0, drop=True),
    }
    return xr.DataTree.from_dict({f"trained/{name}": node for name, node in (nodes | more).items()})


def estimate(sample):
    return sample.statistic(sample.values)


def test_the_first_order_of_the_drift():
    """In the paper's step, lr/N, and absolute: the drift is recorded over ‖D(0)‖."""
    found = ask.first_order(tree(), "digits", "digits_start", {"lr": 0.2})
    assert found.values == pytest.approx(1.1)
    for power in (1, 2):
        world = tree(digits=drifting(power))
        found = ask.excess_slope(world, "digits", "digits_start", [0.025, 0.05, 0.1, 0.2])
        assert estimate(found) == pytest.approx(power)


def test_the_norm_of_the_imbalance():
    assert ask.norm_ratio(tree(), "digits", {"lr": 0.2}).values == pytest.approx(2.97 / 3)
    risen = ask.norm_ratio(tree(built=norms([3, 3.2, 3.3, np.nan])), "built")
    assert risen.values == pytest.approx(1.1)


def test_steps_that_lower_it():
    """Of those steps that begin where the loss is above 1e-6 of the first: later ones are rounding."""
    for path, share in (([3, 2.9, 2.8, 2.7], 1), ([3, 2.9, 2.95, 2.7], 2 / 3), ([3, 3, 3, 3], 0)):
        assert ask.lowering_steps(tree(each=norms(path)), "each").values == pytest.approx(share)
    rounding = norms([3, 2.9, 2.8, 2.9], loss=[1, 1e-3, 1e-8, 1e-9])
    assert (ask.lowering_steps(tree(each=rounding), "each").values == 1).all()


@pytest.mark.parametrize("power", [2.0, 1.0, 0.5])
def test_a_loss_is_below_the_bound_if_each_step_leaves_less_than_f(power):
    """The bound is the product of all f: where a step leaves f to a power, the loss is its product to it."""
    world = bounded(power)
    path = world.loss.values[0, 0] * N
    each = path[1:] / path[:-1] / [f(ETA, loss) for loss in path[:-1]]
    whole = path[1:] / FIRST_LOSS / np.cumprod([f(ETA, loss) for loss in path[:-1]])
    found = ask.step_over_bound(tree(own=world), "own")
    assert found.values == pytest.approx(each.max())
    found = ask.loss_over_bound(tree(own=world), "own")
    assert found.values == pytest.approx(whole.max())
    assert (found.values <= 1 + 1e-9).all() == (power >= 1)
    ratio = ask.decay_over_bound(tree(own=world), "own", 40)
    assert ratio.values == pytest.approx(power)
    late = ask.decay_over_bound(tree(own=world), "own", 40, late=True)
    assert late.values == pytest.approx(power)


def test_a_bound_with_other_constants_is_another():
    """Of networks that follow f with the covered α0, half the printed one: the printed bound is broken."""
    world = tree(own=bounded(1.0, alpha=COVERED))
    assert ask.loss_over_bound(world, "own", covered=True).values == pytest.approx(1)
    assert (ask.loss_over_bound(world, "own").values > 1.1).all()
    assert (ask.step_over_bound(world, "own").values > 1.001).all()
    assert ask.loss_over_bound(world, "own", factor=0.5).values == pytest.approx(1)
    assert ask.least_eigenvalue(world, "own", covered=True).values == pytest.approx(1.2)
    assert ask.least_eigenvalue(world, "own").values == pytest.approx(0.6)


def test_c1_and_c2_are_those_of_the_block():
    world = tree(own=bounded(1.0, c1=0.9, c2=1.1))
    assert ask.loss_over_bound(world, "own").values == pytest.approx(1)
    assert ask.least_eigenvalue(world, "own").values == pytest.approx(1.2)
    assert ask.largest_eigenvalue(world, "own").values == pytest.approx(0.9)


def test_algorithm_1_takes_the_step_that_lowers_its_bound_most():
    """But never a larger one than the block's rate, ηmax."""
    world = tree(free=bounded(1.0, eta=0.2, adaptive=True), held=bounded(1.0, eta=1e-3, adaptive=True))
    assert ask.decay_over_bound(world, "free", 40).values == pytest.approx(1, rel=1e-6)
    assert ask.decay_over_bound(world, "held", 40).values == pytest.approx(1, rel=1e-6)
    assert ask.step_over_bound(world, "free").values == pytest.approx(1, rel=1e-6)


def test_losses_of_rounding_size_say_nothing():
    flat = bounded(2.0)
    flat["loss"] = flat.loss.where(flat.step < 30, 1e-23)
    assert (ask.step_over_bound(tree(own=flat), "own").values < 1).all()
    assert ask.decay_over_bound(tree(own=flat), "own", 40).values == pytest.approx(2)


def test_a_step_that_is_not_recorded_has_no_bound():
    gaps = bounded().isel(step=[0, 1, 2, 10, 20])
    with pytest.raises(NotEstimable, match="each of 20 steps"):
        ask.decay_over_bound(tree(own=gaps), "own", 20)
    assert ask.loss_over_bound(tree(own=gaps), "own").values == pytest.approx(f(ETA, FIRST_LOSS), rel=0.01)
    with pytest.raises(NotEstimable, match="product over steps"):
        ask.loss_over_bound(tree(own=gaps.isel(step=[0, 2, 3])), "own")


def test_what_else_the_theorems_bound():
    assert ask.largest_eigenvalue(tree(), "square").values == pytest.approx(0.9)
    assert ask.product_norm(tree(), "square").values == pytest.approx(2.4 / P2)
    bound = 2 * C2 * BETA * K * FIRST_LOSS * ETA**2 / (1 - f(ETA, FIRST_LOSS))
    assert ask.drift_over_bound(tree(), "square").values == pytest.approx(5e-3 / bound)


def test_speeds():
    wanted = np.ceil(np.log(1e-4) / np.log(0.91)) / np.ceil(np.log(1e-4) / np.log(0.9))
    assert ask.steps_ratio(tree(), "near_rules", "adaptive", "first").values == pytest.approx(wanted)
    assert (ask.steps_ratio(tree(), "square_rules", "adaptive", "largest").values < 1).all()
    found = ask.faster(tree(), "near_rules", "adaptive", ["arora", "du"], 200)
    assert found.values == pytest.approx(np.log(0.9) / np.log(0.9995))
    with pytest.raises(NotEstimable, match="optimizer edge"):
        ask.faster(tree(), "near_rules", "adaptive", ["edge"], 200)
    late = rules()
    late["status"] = late.status.where(late.optimizer != "first", "stopped")
    assert not ask.steps_ratio(tree(near_rules=late), "near_rules", "adaptive", "first").values.size


@pytest.mark.parametrize(("init", "factor"), [("gaussian", 0.3), ("whitening", 1e-3)])
def test_the_factor_per_step(init, factor):
    """Over 1 − 1/κ = ½. What is flat below 1e-20 is not averaged."""
    found = ask.factor_over_plain(tree(), "best", {"init": init, "condition": 2})
    assert found.values == pytest.approx(2 * factor)


def test_every_estimand_is_tested_here():
    here = Path(__file__).read_text(encoding="utf-8")
    tested = {name for name in dir(ask) if f"ask.{name}(" in here}
    known = {name.split(".")[1] for name in known_estimands() if name.startswith("finite_steps.")}
    assert known <= tested


@pytest.mark.parametrize(
    ("figure", "blocks"),
    [
        (drift_vs_first_order, ("digits", "digits_start")),
        (loss_vs_step_bound, ("square", "square_adaptive", "near")),
        (loss_by_rule, ("square_rules", "near_rules")),
        (factor_vs_condition, ("best", "best_bound")),
    ],
)
def test_figures_draw_their_tables(figure, blocks, tmp_path):
    path = tmp_path / "table.csv"
    figure.tabulate(tree(), *blocks).to_csv(path, index=False)
    table = read_table(path)
    drawn = figure.draw(table)
    heights = np.concatenate([line.get_ydata() for ax in drawn.axes for line in ax.get_lines()])
    assert all(np.isclose(heights, value, rtol=1e-6).any() for value in table.estimate)
    assert len(table) >= 5


def test_the_published_values_stand_beside_ours():
    """As falls from the start, whose size is another."""
    rows = loss_vs_step_bound.tabulate(tree(), "square", "square_adaptive", "near")
    published = rows[rows.series == "published adaptive"]
    assert published.estimate.tolist() == pytest.approx([-9.6 - 4.7])
    rows = loss_by_rule.tabulate(tree(), "square_rules", "near_rules")
    assert rows[rows.series == "published first"].estimate.tolist() == pytest.approx([-9.9 + 1.85] * 2)
