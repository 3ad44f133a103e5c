"""Estimands of `alignment` in worlds whose truth is known: each finds it, and where it is missing too."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from minima.findings.drawing import read_table
from minima.findings.stats import NotEstimable
from minima.plan.register import known_estimands
from studies.alignment import estimands as ask
from studies.alignment.figures import small_cosine, stable_rank, two_clocks, two_phases

pytestmark = pytest.mark.filterwarnings("error")
SEEDS, STEPS = np.arange(5), np.arange(0, 4001, 10)
N, LR = 20, 0.2
PER_STEP = LR / 2 / N  # logistic: slope ½ at f = 0
X_PLUS, C = 4.0, -0.6
DIMS = {
    "own_cone": "neurons",
    "wrong_changes": "changes",
    "neuron_cosines": "neuron_cosine",
    "stable_rank": "layer",
    "output_signs": "output_sign",
    "class_sums": "class_sum",
}


def world(paths, axes=None, loss="logistic", steps=STEPS, **data):
    """A block whose probes are functions of step and of the places on its axes, equal for all seeds but
    for a factor in time of 1 % from seed to seed; a probe's numbers are a list."""
    axes = axes or {}
    places = np.meshgrid(*axes.values(), SEEDS, steps, indexing="ij")
    at = dict(zip([*axes, "seed"], places, strict=False))
    k = places[-1] * (1 + 0.01 * (at["seed"] - 2))
    dims = (*axes, "seed", "step")
    found = {"learning_rate": (dims[:-1], np.full(k.shape[:-1], LR))}
    for name, path in ({"class_sums": lambda k, **at: [X_PLUS, X_PLUS, C]} | paths).items():
        values = path(k, **{axis: at[axis] for axis in axes})
        if name in DIMS:
            stacked = np.stack([np.broadcast_to(value, k.shape).astype(float) for value in values], axis=-1)
            found[f"{name}_path"] = ((*dims, DIMS[name]), stacked)
        else:
            found["loss" if name == "loss" else f"{name}_path"] = (dims, np.broadcast_to(values, k.shape))
    found["status"] = (dims[:-1], np.full(k.shape[:-1], "stopped"))
    attrs = {"fixed": json.dumps({"data": {"train_size": N} | data, "loss": loss})}
    return xr.Dataset(found, {**axes, "seed": SEEDS, "step": steps}, attrs)


def tree(**blocks):
    return xr.DataTree.from_dict({f"trained/{name}": block for name, block in blocks.items()})


def estimate(sample):
    return sample.statistic(sample.values)


def growing(scale=1e-6, width=50):
    """max |f| = ¼ at t₂ = log(1/(√h ε))/‖x₊‖: f grows as the square of a neuron."""
    return lambda k: 0.25 * width * scale**2 * np.exp(2 * X_PLUS * PER_STEP * k)


def falling(half=1000):
    """A loss that falls as 1/(1 + (k/half)²): to one half at `half`."""
    return lambda k, **at: 1 / (1 + (k / half) ** 2)


def exact(step):
    """Seeds pass a step at 1/(1 + 0.01 i) of it."""
    return step / (1 + 0.01 * (SEEDS - 2))


def test_neurons_are_counted_when_the_output_is_a_quarter_or_at_a_loss():
    """Half of the seers are caught at step 500, all at 3000; of live ones less; networks that do not get
    there are left out."""
    shares = {"own_cone": lambda k: [np.where(k < 2900, 0.5, 1), np.where(k < 2900, 0.4, 0.9), 0.1]}
    early = world(shares | {"largest_output": lambda k: 1e-6 * np.exp(k / 80), "loss": falling(3500)})
    assert ask.caught(tree(here=early), "here").values == pytest.approx(0.5)
    assert ask.caught(tree(here=early), "here", loss=0.5).values == pytest.approx(1)
    assert ask.caught(tree(here=early), "here", loss=0.5, live=True).values == pytest.approx(0.9)
    never = world(shares | {"largest_output": lambda k: 1e-6 + 0 * k, "loss": falling()})
    assert not len(ask.caught(tree(here=never), "here").values)


def test_one_wrong_change_on_the_way_is_seen():
    once = world({"wrong_changes": lambda k: [np.where(abs(k - 2000) < 100, 0.02, 0), 0.5]})
    never = world({"wrong_changes": lambda k: [0, 0.5]})
    assert ask.wrong_changes(tree(here=once), "here").values == pytest.approx(0.02)
    assert (ask.wrong_changes(tree(here=never), "here").values == 0).all()


SCALES = {"scale": np.array([1e-7, 1e-5, 1e-3])}


def clocks(entered=lambda k, scale: k >= 100, output=None, axes=SCALES):
    output = output or (lambda k, scale: growing(scale)(k))
    share = {"own_cone": lambda k, **at: [np.where(entered(k, **at), 1, 0.5), 1, 0]}
    return tree(here=world(share | {"largest_output": output}, axes, steps=np.arange(0, 2001, 2)))


def test_both_clocks_against_the_start():
    """t₂‖x₊‖ = log(1/(√h ε)) and t₁ the same for all ε; both the other way about where the world is."""
    found = clocks()
    assert estimate(ask.clock_slope(found, "here", "scale", inverse=True)) == pytest.approx(1, rel=1e-3)
    assert estimate(ask.clock_slope(found, "here", "scale", inverse=True, entered=True)) == pytest.approx(0)
    other = clocks(lambda k, scale: k >= 50 * np.log(1 / scale), lambda k, scale: growing(1e-5)(k))
    assert estimate(ask.clock_slope(other, "here", "scale", inverse=True)) == pytest.approx(0, abs=1e-9)
    late = estimate(ask.clock_slope(other, "here", "scale", inverse=True, entered=True))
    assert late == pytest.approx(50 * PER_STEP * X_PLUS, rel=1e-2)


def test_a_clock_that_does_not_end_gives_no_slope():
    none = clocks(lambda k, scale: k < 0)
    assert not len(ask.clock_slope(none, "here", "scale", inverse=True, entered=True).values)
    left = clocks(lambda k, scale: (k > 100) & (k < 900))
    assert not len(ask.clock_slope(left, "here", "scale", inverse=True, entered=True).values)


COSINES = {"cosine": np.array([1e-1, 1e-2, 1e-3])}


@pytest.mark.parametrize("power", [False, True])
def test_how_the_slowest_entry_depends_on_the_cosine(power):
    """t₁ = log(1/μ) or μ^−½ in the world: slopes in the logarithm, or of the logarithms."""
    wanted = (lambda μ: 0.2 * μ**-0.5) if power else (lambda μ: np.log(1 / μ))
    found = clocks(lambda k, cosine: k * PER_STEP >= wanted(cosine), lambda k, cosine: 1e-9 + 0 * k, COSINES)
    if power:
        slope = estimate(ask.entry_slope(found, "here", largest=0.02, logarithms=True))
        assert slope == pytest.approx(0.5, abs=0.01)
    else:
        assert estimate(ask.entry_slope(found, "here")) == pytest.approx(1, abs=0.01)
        with pytest.raises(NotEstimable, match="two values"):
            ask.entry_slope(found, "here", largest=0.002)


def test_late_neurons_are_those_that_were_outside_at_the_start():
    """A third is inside from the start: ⅔ at the end is half of the others."""
    some = world({"own_cone": lambda k: [np.where(k < 100, 1 / 3, 2 / 3), 1, 0]})
    none = world({"own_cone": lambda k: [1 / 3, 1, 0]})
    assert ask.late_entries(tree(here=some), "here").values == pytest.approx(0.5)
    assert ask.late_entries(tree(here=none), "here").values == pytest.approx(0)


BOTH = COSINES | {"scale": 10.0 ** np.arange(-6, 0)}


def caught_below(power, axes=BOTH):
    """Late neurons are caught where ε < μ^power: half of them just there."""

    def share(k, cosine, scale):
        above = np.log(scale / cosine**power) / np.log(1e6)
        return [0.25 + 0.75 * np.where(k == 0, 0, np.clip(0.5 - above, 0, 1)), 1, 0]

    return world({"own_cone": share, "loss": falling(300)}, axes)


@pytest.mark.parametrize("power", [1.0, 1.35])
def test_the_start_that_catches_half_is_a_power_of_the_cosine(power):
    found = ask.catching_slope(tree(here=caught_below(power)), "here", loss=0.05)
    assert estimate(found) == pytest.approx(power, abs=0.01)
    all_caught = caught_below(power, BOTH | {"scale": np.array([1e-9, 1e-8])})
    assert not len(ask.catching_slope(tree(here=all_caught), "here", loss=0.05).values)


def test_signs_at_the_end_of_alignment():
    turning = {"output_signs": lambda k: [np.where(k > 300, 0.25, 0), np.where(k > 300, 1, 0.75)]}
    found = tree(here=world(turning | {"largest_output": lambda k: 1e-6 * np.exp(k / 80)}))
    assert ask.signs(found, "here").values == pytest.approx(0.25)
    assert ask.signs(found, "here", right=True).values == pytest.approx(1)
    early = tree(here=world(turning | {"largest_output": lambda k: 1e-6 * np.exp(k / 20)}))
    assert ask.signs(early, "here").values == pytest.approx(0)


@pytest.mark.parametrize("power", [-1, -2])
def test_the_tail_of_the_loss(power):
    """Slope in t, of the paper's sum: 4,000 steps are t = 20."""
    found = tree(here=world({"loss": lambda k: (1.0 + k) ** power}))
    assert ask.tail_slope(found, "here", since=5, until=20).values == pytest.approx(power, rel=1e-2)
    with pytest.raises(NotEstimable, match="recorded steps"):
        ask.tail_slope(found, "here", since=10, until=40)
    left = ask.loss_left(found, "here", until=10).values
    assert left == pytest.approx((1.0 + 2000 * (1 + 0.01 * (SEEDS - 2))) ** power)


def test_the_loss_may_be_above_its_bound():
    """α = μ²/32 and the sum of 20 points, of twice the logistic loss, from t₂ on, where the mean is still
    1: a loss that stays breaks it."""
    output = {"largest_output": lambda k: 1e-3 * np.exp(k / 80)}
    start = 80 * np.log(250)

    def bound(k):
        return 1 / (1 + 0.5**2 / 32 * 2 * N * PER_STEP * np.maximum(k - start, 0))

    kept = world(output | {"loss": lambda k: bound(k) ** 2}, cosine=0.5)
    stays = world(output | {"loss": lambda k: 1 + 0 * k}, cosine=0.5)
    assert (ask.over_bound(tree(here=kept), "here").values < 1).all()
    broken = ask.over_bound(tree(here=stays), "here").values
    assert broken == pytest.approx(
        1 / bound(np.array([4000 * (1 + 0.01 * (s - 2)) for s in SEEDS])), rel=2e-2
    )


def ranked(rank):
    return tree(here=world({"stable_rank": lambda k: [np.where(k < 990, 9, rank), 1], "loss": falling()}))


def test_the_stable_rank_and_its_limit():
    """2/(1 + 0.6) = 1.25."""
    assert ask.rank(ranked(1.25), "here", loss=0.5).values == pytest.approx(1.25)
    assert ask.rank(ranked(1.25), "here", loss=0.9).values == pytest.approx(9)
    assert ask.rank_gap(ranked(1.25), "here", loss=0.5).values == pytest.approx(0)
    assert ask.rank_gap(ranked(1.05), "here", loss=0.5).values == pytest.approx(0.2)


def test_cosines_where_the_loss_is():
    found = tree(
        here=world({"neuron_cosines": lambda k: [np.where(k < 300, 0, 0.99), -1, 0.7], "loss": falling()})
    )
    assert ask.aligned(found, "here", loss=0.9).values == pytest.approx(0.99)
    assert ask.aligned(found, "here", loss=0.9, of="least").values == pytest.approx(-1)
    assert ask.aligned(found, "here", loss=0.9, of="weighted by energy").values == pytest.approx(0.7)
    assert ask.aligned(found, "here", loss=0.99).values == pytest.approx(0)


@pytest.mark.parametrize(("loss", "slope"), [("logistic", 0.5), ("exponential", 1), ("mse", 1)])
def test_the_clock_is_the_papers_whatever_the_loss(loss, slope):
    found = tree(here=world({"loss": falling(1000)}, loss=loss))
    half = ask.half_time(found, "here").values
    assert half == pytest.approx(exact(1000) * LR * slope / N * X_PLUS, rel=1e-3)
    assert ask.steps_over_published(found, "here", 500).values == pytest.approx(exact(1000) / 500, rel=1e-3)
    never = tree(here=world({"loss": falling(5000)}, loss=loss))
    assert not len(ask.half_time(never, "here").values)


def test_a_loss_whose_slope_is_not_known_has_no_clock():
    with pytest.raises(NotEstimable, match="cross_entropy"):
        ask.half_time(tree(here=world({"loss": falling()}, loss="cross_entropy")), "here")


def test_every_estimand_is_tested_here():
    here = Path(__file__).read_text(encoding="utf-8")
    known = {name.split(".")[1] for name in known_estimands() if name.startswith("alignment.")}
    assert {name for name in known if f"ask.{name}(" not in here} == set()


def whole():
    """All that the figures draw."""

    def paths(output):
        return {
            "own_cone": lambda k, **at: [np.where(k < 500, 0.5, 1), np.where(k < 500, 0.5, 1), 0],
            "neuron_cosines": lambda k, **at: [1 - np.exp(-k / 300), 0, 0.9],
            "stable_rank": lambda k, **at: [1.25 + np.exp(-k / 300), 1],
            "largest_output": output,
            "loss": falling(),
        }

    small = paths(lambda k, scale: growing(scale)(k))
    alone = paths(lambda k, layer_scales: 1e-3 + k / 1000)
    fixed = paths(lambda k, **at: growing()(k))
    return tree(
        cones=world(fixed, {"cosine": np.array([0.5, 0.1])}),
        digits=world(fixed, {"classes": np.array(["0_1", "3_8"])}),
        sizes=world(small, SCALES),
        first_layer=world(alone, {"layer_scales": np.array(["1e-7", "1e-3"])}),
        large=world(fixed, {"scale": np.array([0.1, 1.0])}),
        entries=world(fixed, COSINES),
        catching=caught_below(1.35),
    )


@pytest.mark.parametrize(
    ("figure", "blocks"),
    [
        (two_phases, ("cones",)),
        (two_phases, ("digits",)),
        (two_clocks, ("sizes", "first_layer")),
        (stable_rank, ("cones", "large")),
        (small_cosine, ("entries", "catching")),
    ],
)
def test_figures_draw_their_tables(figure, blocks, tmp_path):
    path = tmp_path / "table.csv"
    figure.tabulate(whole(), *blocks).to_csv(path, index=False)
    table = read_table(path)
    drawn = figure.draw(table)
    heights = np.concatenate([np.asarray(line.get_ydata()) for ax in drawn.axes for line in ax.get_lines()])
    known = table.estimate[table.estimate.notna()]
    assert all(np.isclose(heights, value, rtol=1e-6).any() for value in known)
    assert len(known) > 5


def test_both_clocks_stand_in_the_figure_of_both_phases():
    table = two_phases.tabulate(whole(), "cones")
    t1 = table[table.series == "t₁"].x
    assert t1.values == pytest.approx([500 * PER_STEP * X_PLUS] * 2, rel=2e-2)
    assert set(table.series) == {*two_phases.LOOKS, "t₁", "t₂"}
