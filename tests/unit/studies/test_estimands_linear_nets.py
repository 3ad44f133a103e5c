"""Estimands of `linear_nets` in worlds whose truth is known: each finds it, and where it is missing too."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from minima.findings.drawing import read_table
from minima.findings.stats import NotEstimable
from minima.plan.register import known_estimands
from studies.linear_nets import estimands as ask
from studies.linear_nets.figures import drift_vs_step, loss_vs_bound, min_norm_vs_width

pytestmark = pytest.mark.filterwarnings("error")
SEEDS, STEPS, CASES = np.arange(5), np.array([0, 10, 100, 15_000]), ["0.1, 0.1", "0.5, 0.02", "0.05, 0.2"]
LR, GAPS, N, D = 1e-3, np.array([6.0, 40.0, 20.0]), 100, 400
FLAT = {"spectrum": "flat", "train_size": N, "test_size": D, "dimension": D, "outputs": 1}
FLAT |= {"source": "linear_teacher"}
RNG = np.random.default_rng(0)


def block(variables, coords, **attrs):
    status = np.full([len(c) for c in coords.values()], "converged")
    found = {name: (dims, values) for name, (dims, values) in variables.items()}
    return xr.Dataset(
        found | {"status": (tuple(coords), status)}, coords, {"fixed": json.dumps({"data": FLAT | attrs})}
    )


def rates(speed=1.1, cases=True):
    """Losses that fall `speed` times as fast as the bound of Theorem 1."""
    gaps = GAPS if cases else np.array([2.0])
    bounds = np.broadcast_to(2 * gaps[:, None, None] / N, (len(gaps), len(SEEDS), len(STEPS)))
    loss = 0.03 * np.exp(-speed * bounds * LR * STEPS)
    coords = {"layer_scales": CASES, "seed": SEEDS}
    dims = ("layer_scales", "seed", "step")
    drift = np.broadcast_to(1e-6 * STEPS / STEPS[-1], loss.shape)
    variables = {
        "loss": (dims, loss),
        "decay_path": (dims, speed * bounds),
        "rate_bounds_path": ((*dims, "bound"), np.stack([bounds, 1.05 * bounds], axis=-1)),
        "imbalance_path": (dims, drift),
        "unseen_path": (dims, 0 * drift),
        "learning_rate": (dims[:2], np.full(loss.shape[:2], LR)),
    }
    if not cases:
        coords = {"seed": SEEDS}
        variables = {name: (tuple(d[1:]), values[0]) for name, (d, values) in variables.items()}
    return block(variables, coords).assign_coords(step=STEPS)


def steps(factor=1.0, power=1.0):
    lrs = np.array([0.1, 0.2, 0.4])
    drift = factor * 1e-3 * lrs[:, None, None] ** power * np.array([0.5, 1.0]) * np.ones((3, 5, 1))
    return block({"imbalance_path": (("lr", "seed", "step"), drift)}, {"lr": lrs, "seed": SEEDS})


def bent(lrs):
    """A drift η + η²/10, which is not quite in proportion to the step."""
    lrs = np.array(lrs)
    drift = (lrs + 0.1 * lrs**2)[:, None, None] * np.ones((len(lrs), 5, 1))
    return block({"imbalance_path": (("lr", "seed", "step"), drift)}, {"lr": lrs, "seed": SEEDS})


def width(power=0.5, growth=1.05):
    """Networks whose distance to the min-norm solution is `growth` times √((D − n)/h^{4α−1})."""
    widths = np.array([500, 2000, 9500])
    target = RNG.normal(size=(len(SEEDS), D, 1)) / 20
    unseen = np.zeros(D)
    unseen[N:] = 1  # the points see the first N directions
    level = widths ** (0.5 - 2 * power)
    start = level[:, None, None, None] * np.ones((3, 5, 1, 1)) * np.sqrt([[1.0]]) * np.ones((D, 1))
    gap = start * growth * unseen[:, None]
    dims = ("width_power", "width", "seed")
    trained = block(
        {
            "test": ((*dims, "point", "output"), (target + gap)[None]),
            "start_test": ((*dims, "point", "output"), start[None]),
            "start_train": ((*dims, "train_point", "output"), start[None, ..., :N, :]),
            "steps": (dims, np.broadcast_to(6e4 / widths[:, None] ** 0.05, (3, 5))[None]),
        },
        {"width_power": [power], "width": widths, "seed": SEEDS},
    )
    draws = np.ones((1, 1, 5, 20)) * np.linspace(0.5, 0.99, 20)
    reference = xr.Dataset(
        {
            "test": (("reference", "seed", "point", "output"), target[None]),
            "products": (("seed", "train_point", "other_point"), np.broadcast_to(np.eye(N), (5, N, N))),
            "gap_slack": (("wide_power", "wide_width", "seed", "draw"), draws),
            "overlap_slack": (("wide_power", "wide_width", "seed", "draw"), draws),
            "limit_slack": (("wide_power", "wide_width", "seed", "draw"), draws),
            "lemma_width": ("seed", np.full(len(SEEDS), 7652.0)),
            "theorem_width": (("wide_power", "seed"), np.full((1, len(SEEDS)), 2.5e5)),
        },
        {"reference": ["min_norm"], "seed": SEEDS, "wide_power": [0.5], "wide_width": [9500]},
    )
    return trained, reference


def tree(**more):
    trained, reference = width()
    nodes = {
        "trained/rates": rates(),
        "trained/balanced": rates(0.5, cases=False),
        "trained/steps": steps(),
        "trained/momentum": steps(3),
        "trained/bent": bent([0.4, 0.05, 0.1, 0.2]),
        "trained/width": trained,
        "reference/width": reference,
    }
    return xr.DataTree.from_dict(nodes | more)


def minimizers(factors):
    target = RNG.normal(size=(len(SEEDS), D, 1))
    found = block(
        {
            "test": (
                ("scheme", "seed", "point", "output"),
                target * (1 + np.array(factors)[:, None, None, None]),
            )
        },
        {"scheme": ["invariant", "half_invariant", "gaussian"], "seed": SEEDS},
    )
    reference = {"test": (("reference", "seed", "point", "output"), target[None])}
    labels = {"reference": ["min_norm"], "seed": SEEDS}
    return {"trained/minimizers": found, "reference/minimizers": xr.Dataset(reference, labels)}


def estimate(sample):
    return sample.statistic(sample.values)


def test_drifts():
    assert estimate(ask.drift(tree(), "rates")) == pytest.approx(1e-6)
    assert estimate(ask.drift(tree(), "rates", "unseen_path")) == 0
    assert estimate(ask.drift_slope(tree(), "steps")) == pytest.approx(1)
    assert estimate(ask.drift_slope(tree(**{"trained/steps": steps(power=0.5)}), "steps")) == pytest.approx(
        0.5
    )
    assert ask.drift_bend(tree(), "bent").values == pytest.approx(0.5, rel=0.02)
    with pytest.raises(NotEstimable, match="that double"):
        ask.drift_bend(tree(**{"trained/bent": bent([0.1, 0.2, 0.5])}), "bent")
    assert ask.drift_ratio(tree(), "momentum", "steps").values == pytest.approx(3)


def test_the_loss_is_under_the_bound_unless_it_is_slower_than_it():
    """At 1.1 times the guaranteed rate 1/1.1 of the decay is guaranteed, at every step but the start."""
    assert ask.guaranteed(tree(), "rates").values == pytest.approx(1 / 1.1)
    slow = tree(**{"trained/rates": rates(0.9)})
    assert ask.guaranteed(slow, "rates").values == pytest.approx(1 / 0.9)
    tight = ["0.5, 0.02", "0.05, 0.2"]
    assert ask.guaranteed(tree(), "rates", factor=1.5, cases=tight).values == pytest.approx(1.5 / 1.1)
    fast = tree(**{"trained/rates": rates(1.6)})
    assert (ask.guaranteed(fast, "rates", factor=1.5, cases=tight).values < 1).all()


def test_a_loss_above_its_start_breaks_every_bound():
    """Also that of balanced layers, which guarantees nothing but L(t) ≤ L(0)."""
    level = rates(0.5, cases=False)
    level["rate_bounds_path"] = 0 * level.rate_bounds_path
    assert (ask.guaranteed(tree(**{"trained/level": level}), "level").values == 0).all()
    risen = level.assign(loss=level.loss.where(level.step != 10, 0.031))
    assert np.isposinf(ask.guaranteed(tree(**{"trained/risen": risen}), "risen").values).all()


def test_a_loss_of_rounding_size_says_nothing():
    lost = rates()
    lost["loss"] = lost.loss.where(lost.step < 15_000, 1e-19)
    assert (ask.guaranteed(tree(**{"trained/rates": lost}), "rates").values <= 1).all()


def test_rates_and_their_bounds():
    world = tree()
    assert ask.tightness(world, "rates", {"layer_scales": CASES[0]}).values == pytest.approx(1.1)
    assert ask.bound_over_decay(world, "rates").values == pytest.approx(1.05 / 1.1)
    final = 0.06 * np.exp(-1.1 * 0.12 * 15)
    assert estimate(ask.final_loss(world, "rates", {"layer_scales": CASES[0]})) == pytest.approx(final)


def test_a_published_number_is_as_unusual_as_its_place_among_the_draws():
    """Losses 1, 2, 4, 8, 16 times the first, with 8 or 16,000 beside them: the median is the root of 4·8."""
    spread = rates()
    spread["loss"] = spread.loss * xr.DataArray(2.0 ** np.arange(5), dims="seed")
    spread["rate_bounds_path"] = spread.rate_bounds_path * xr.DataArray(2.0 ** np.arange(5), dims="seed")
    world, case = tree(**{"trained/rates": spread}), {"layer_scales": CASES[0]}
    least = ask.final_loss(world, "rates", case).values[0]
    near = ask.as_unusual(world, "rates", "loss", 8 * least, case).values
    assert near == pytest.approx(np.log(2) * np.array([2, 1, 0, 0, 1]))
    far = ask.as_unusual(world, "rates", "loss", 16_000 * least, case).values
    assert (far < 0).all()
    assert ask.as_unusual(world, "rates", "imbalance", 6.0 * 8, case).values == pytest.approx(near)
    middle = ask.as_unusual(tree(), "rates", "loss", estimate(ask.final_loss(tree(), "rates", case)), case)
    assert (middle.values == 0).all(), "draws that do not vary"


def test_the_order_of_the_losses():
    ascending = ["0.5, 0.02", "0.05, 0.2", "0.1, 0.1"]
    assert (ask.order(tree(), "rates", "balanced", ascending).values > 0).all()
    assert (ask.order(tree(), "rates", "balanced", ascending[::-1]).values < 0).all()


def test_c_is_read_off_the_bound_only_where_that_is_possible():
    random = rates().assign_attrs(fixed=json.dumps({"data": FLAT | {"spectrum": "random"}}))
    with pytest.raises(NotEstimable, match="all singular values"):
        ask.as_unusual(
            tree(**{"trained/rates": random}), "rates", "imbalance", 6.0, {"layer_scales": CASES[0]}
        )


def test_distances_to_the_min_norm_solution():
    world = tree(**minimizers([0, 0.2, 0.3]))
    for scheme, wanted in (("invariant", 0), ("half_invariant", 0.2)):
        found = ask.distance(world, "minimizers", {"scheme": scheme})
        assert found.values == pytest.approx(wanted)
    ratio = ask.farther(world, "minimizers", "gaussian", "half_invariant")
    assert ratio.values == pytest.approx(1.5)


@pytest.mark.parametrize("power", [0.5, 0.375])
def test_width(power):
    trained, reference = width(power)
    world = tree(**{"trained/width": trained, "reference/width": reference})
    for start in (False, True):
        found = ask.slope_in_width(world, "width", power, start)
        assert estimate(found) == pytest.approx(0.5 - 2 * power)
    assert ask.level(world, "width", power, 2000).values == pytest.approx(1.05)
    assert ask.growth(world, "width", power, 2000).values == pytest.approx(1.05)
    expected = (2000**-0.05 + 9500**-0.05) / 2 / 500**-0.05
    assert ask.steps_ratio(world, "width", power, 2000, 500).values == pytest.approx(expected)


def test_other_data_have_no_level():
    trained, reference = width()
    digits = trained.assign_attrs(fixed=json.dumps({"data": FLAT | {"source": "digits"}}))
    with pytest.raises(NotEstimable, match="linear_teacher"):
        ask.level(tree(**{"trained/width": digits, "reference/width": reference}), "width", 0.5, 2000)


def test_every_draw_counts_and_only_at_widths_that_the_statement_covers():
    """Width 9500 is above Lemma 1's 7652 and below Theorem 2's 2.5e5: each part has to say which it means."""
    found = ask.slack(tree(), "width", "gap_slack", 0.5, 9500).values
    assert sorted(found) == pytest.approx(sorted(np.tile(np.linspace(0.5, 0.99, 20), 5)))
    with pytest.raises(NotEstimable, match="not above"):
        ask.slack(tree(), "width", "limit_slack", 0.5, 9500)
    assert len(ask.slack(tree(), "width", "limit_slack", 0.5, 9500, covered=False).values) == 100
    with pytest.raises(NotEstimable, match="9500 is above"):
        ask.slack(tree(), "width", "overlap_slack", 0.5, 9500, covered=False)
    with pytest.raises(NotEstimable, match="not in the dataset"):
        ask.slack(tree(), "width", "gap_slack", 0.5, 500)


def test_agreement_is_relative_and_over_what_both_have():
    direct = rates().sel(seed=[0, 1], step=[0, 10])
    direct["loss"] = direct.loss * 1.001
    found = ask.agreement(tree(**{"trained/direct": direct}), "rates", "direct", "loss")
    assert found.values == pytest.approx([1e-3 / 1.001] * 2)
    elsewhere = rates().assign_coords(seed=SEEDS + 50)
    with pytest.raises(NotEstimable, match="in common"):
        ask.agreement(tree(**{"trained/direct": elsewhere}), "rates", "direct", "loss")


def test_every_estimand_is_tested_here():
    here = Path(__file__).read_text(encoding="utf-8")
    tested = {name for name in dir(ask) if f"ask.{name}(" in here}
    known = {name.split(".")[1] for name in known_estimands() if name.startswith("linear_nets.")}
    assert known <= tested


@pytest.mark.parametrize(
    ("figure", "blocks"),
    [
        (loss_vs_bound, ("rates", "balanced")),
        (min_norm_vs_width, ("width",)),
        (drift_vs_step, ("steps", "momentum")),
    ],
)
def test_figures_draw_their_tables(figure, blocks, tmp_path):
    path = tmp_path / "table.csv"
    figure.tabulate(tree(), *blocks).to_csv(path, index=False)
    table = read_table(path)
    drawn = figure.draw(table)
    heights = np.concatenate([line.get_ydata() for ax in drawn.axes for line in ax.get_lines()])
    assert all(np.isclose(heights, value, rtol=1e-6).any() for value in table.estimate)
    assert len(table) > 5


def test_the_published_values_stand_beside_ours():
    rows = loss_vs_bound.tabulate(tree(), "rates", "balanced")
    published = rows[rows.series == "published loss"]
    assert published.estimate.tolist() == [3.6e-3, 1.1e-4, 2.1e-2]
    rows = min_norm_vs_width.tabulate(tree(), "width")
    assert rows[rows.series == "published"].estimate.tolist() == [0.78, 0.19, 6.7e4, 5.7e4]
