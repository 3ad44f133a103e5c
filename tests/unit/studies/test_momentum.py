"""The estimands of `momentum` find the truth in worlds whose kernels stand still, and where it ends."""

import json

import numpy as np
import pytest
from tests.unit.momentum_world import SEEDS, block, tree

from minima.findings.stats import NotEstimable
from minima.findings.trajectories import predicted_loss, relative_loss
from studies.momentum import estimands as momentum
from studies.momentum.curves import sup_error

R = ("r", "optimizer.r", [2.0, 3.0, 6.0])
BETA = [("beta1", "optimizer.beta1", [0.0, 0.2, 0.3]), ("beta2", "optimizer.beta2", [0.0, 0.2, 0.5, 0.8])]


@pytest.fixture(scope="module")
def world():
    every = list(range(0, 3001, 4))
    return tree(
        gd=block("gd", 1e-3, list(range(0, 6001, 20))),
        ball=block("heavy_ball", 1e-4, every, [("damping", "optimizer.momentum.damping", [0.5, 1.5, 3.0])]),
        nesterov=block("nesterov_convex", 1e-4, every, [R]),
        constant=block("nesterov", 1e-4, every, fixed={"damping": 1.0}),
        late=block("nesterov_convex", 1e-3, list(range(0, 10001, 5)), [R]),
        fixed=block("heavy_ball", 1e-3, list(range(0, 3001, 20)), fixed={"momentum": 0.5}),
        large=block("heavy_ball", 0.01, list(range(0, 501, 2)), fixed={"momentum": 0.95}),
        two=block("higher_momentum", 1e-3, list(range(0, 1001, 10)), BETA),
    )


@pytest.mark.parametrize("name", ["gd", "ball", "nesterov", "constant", "two"])
def test_a_frozen_network_is_its_own_prediction(world, name):
    """The recursion from what is kept of the kernel gives the curve of the update rules, wherever the numbers
    are: on an axis, fixed or stored per network."""
    node = world[f"trained/{name}"].to_dataset()
    gone = (node.status == "diverged").values
    found, wanted = predicted_loss(node), relative_loss(node)
    assert found.dims == wanted.dims
    np.testing.assert_allclose(found.values[~gone], wanted.values[~gone], rtol=1e-6, atol=1e-22)
    assert float(sup_error(node).where(~gone).max()) < 1e-10


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch_size", 2),
        ("schedule", {"kind": "step", "length": 10, "factor": 0.1}),
        ("weight_decay", {"strength": 0.1, "toward": "zero"}),
    ],
)
def test_what_no_recursion_has_is_not_predicted(name, value):
    """Fixed or on an axis: the curve of another optimizer would be taken for theirs."""
    axis = (name, f"optimizer.{name}", [1, 2])
    for node in (block("gd", 1e-3, [0, 1], fixed={name: value}), block("gd", 1e-3, [0, 1], [axis])):
        with pytest.raises(NotEstimable, match=f"with optimizer.{name}"):
            predicted_loss(node)


def test_without_the_spectrum_nothing_is_predicted(world):
    with pytest.raises(NotEstimable, match="spectrum: true"):
        predicted_loss(world["trained/gd"].to_dataset().drop_vars("kernel_spectrum"))


def test_gradient_descent_keeps_its_bound_and_breaks_the_tighter_one(world):
    """No step above e^{−λ₀t}, some above e^{−3λ₀t}, and a rate of 2ηλ₀."""
    assert (momentum.bound_violations(world, "gd").values == 0).all()
    assert (momentum.bound_violations(world, "gd", times=3).values > 10).all()
    ratio = momentum.rate_ratio(world, "gd", "gd", (3000, 6000))
    np.testing.assert_allclose(ratio.values, 1, atol=0.02)


def test_heavy_balls_rate_is_its_momentum_only_while_it_swings(world):
    """At b = .5 and 1.5 √λ₀ rate/(−log μ) = 1 on a straight line, at 3 it is not: there b − √(b² − 4λ₀)."""
    for b in (0.5, 1.5):
        chosen = {"damping": b}
        found = momentum.rate_ratio(world, "ball", "momentum", (500, 3000), select=chosen)
        np.testing.assert_allclose(found.values, 1, atol=0.06)
        assert (momentum.straightness(world, "ball", (500, 3000), select=chosen).values > 0.97).all()
    creeping = momentum.rate_ratio(world, "ball", "momentum", (500, 3000), select={"damping": 3.0})
    np.testing.assert_allclose(creeping.values, (3 - 5**0.5) / 3, rtol=0.03)


def test_the_schedule_falls_as_a_power_and_constant_momentum_exponentially(world):
    """Slopes −r in the window, and the better fit named for what it is, trained and frozen alike."""
    for source in ("trained", "frozen"):
        for r in (2.0, 3.0, 6.0):
            found = momentum.envelope_slope(world, "nesterov", (800, 3000), source, {"r": r})
            np.testing.assert_allclose(found.values, -r, atol=0.4)
        for through in ("maxima", "all"):
            assert (momentum.preference(world, "nesterov", (800, 3000), through, source).values > 0).all()
            assert (momentum.preference(world, "constant", (800, 3000), through, source).values < 0).all()
        found = momentum.envelope_rate_ratio(world, "constant", "momentum", (800, 3000), source)
        np.testing.assert_allclose(found.values, 1, atol=0.1)


def test_discrete_steps_make_the_envelope_steeper_by_their_exponential(world):
    """L falls as k^(−r)(1 − x)^k, to 0.15 in the slope, and k^(−r) alone is flatter: much flatter at ten
    times the step, where the same window has ten times the exponential."""
    for r in (2.0, 3.0, 6.0):
        excess, slope = (
            estimand(world, "nesterov", (800, 3000), select={"r": r}).values
            for estimand in (momentum.envelope_excess, momentum.envelope_slope)
        )
        np.testing.assert_allclose(excess, 0, atol=0.15)
        assert (slope + r < excess).all()
        excess, slope = (
            estimand(world, "late", (800, 3000), select={"r": r}).values
            for estimand in (momentum.envelope_excess, momentum.envelope_slope)
        )
        np.testing.assert_allclose(excess, 0, atol=0.15)
        assert (slope + r < -1).all()


def test_the_late_envelope_is_exponential_with_the_powers_share(world):
    for r in (2.0, 3.0, 6.0):
        found = momentum.envelope_rate_ratio(world, "late", "window", (5000, 10000), select={"r": r})
        np.testing.assert_allclose(found.values, 1, atol=0.05)


def test_the_convex_bound_is_kept_and_its_greatest_ratio_reported(world):
    found = momentum.convex_bound_ratio(world, "nesterov", {"r": 3.0}).values
    assert ((found > 0.05) & (found <= 1)).all()
    every = momentum.convex_bound_ratio(world, "nesterov").values
    assert (every >= found).all(), "the greatest over r"
    plain = momentum.convex_bound_ratio(world, "gd", r=3.0)
    assert (plain.values > 1).all(), "gradient descent does not keep the bound of acceleration"


def test_fixed_momentum_is_faster_gradient_descent_until_it_swings(world):
    near = momentum.rate_ratio(world, "fixed", "effective", (1500, 3000))
    np.testing.assert_allclose(near.values, 1, atol=0.03)
    assert (momentum.rate_ratio(world, "large", "effective", (50, 500)).values < 0.3).all()


def test_two_momenta_are_ordered_and_leave_beyond_one(world):
    """Faster as β₂ grows, slower than GD at (.2, .8), gone at (.3, .8): networks and frozen kernels."""
    order = [{"beta1": 0.0, "beta2": 0.0}, *({"beta1": 0.2, "beta2": b} for b in (0.0, 0.2, 0.5))]
    slow = [{"beta1": 0.2, "beta2": 0.8}, {"beta1": 0.0, "beta2": 0.0}]
    for source in ("trained", "frozen"):
        assert (momentum.descent(world, "two", order, 1000, source).values > 0).all()
        assert (momentum.descent(world, "two", order[::-1], 1000, source).values < 0).all()
        assert (momentum.descent(world, "two", slow, 1000, source).values > 0).all()
        gone = momentum.divergence(world, "two", source, {"beta1": 0.3, "beta2": 0.8})
        assert (gone.values == 1).all()
        assert (momentum.divergence(world, "two", source, {"beta1": 0.2, "beta2": 0.5}).values == 0).all()


def test_steepness_is_compared_between_two_steps():
    """L = k^{−1.5r} from step 300 on: each r steeper than the last by 1.5 times their difference."""
    bent = lambda curve, k, place: np.where(k == 0, 1, np.maximum(k, 1.0) ** (-1.5 * place["r"]))  # noqa: E731
    made = tree(digits=block("nesterov_convex", 1e-4, [0, 300, 1500], [R], bent=bent))
    found = momentum.steepening(made, "digits", [{"r": 2.0}, {"r": 3.0}, {"r": 6.0}], (300, 1500))
    np.testing.assert_allclose(found.values, 1.5, rtol=1e-9)


def test_errors_of_width_have_their_slope():
    """L off its prediction by width^{−½}/10 at most: slope −½, and .1/64^½ at width 64."""
    bend = lambda curve, k, place: curve + 0.1 * place["width"] ** -0.5 * (k == 50)  # noqa: E731
    axis = ("width", "network.width", [64, 256, 1024])
    made = tree(width=block("heavy_ball", 1e-3, list(range(101)), [axis], {"momentum": 0.9}, bend))
    sample = momentum.sup_error_slope(made, "width")
    assert sample.statistic(sample.values) == pytest.approx(-0.5, abs=1e-6)
    np.testing.assert_allclose(
        momentum.largest_error(made, "width", {"width": 64}).values, 0.1 / 8, rtol=1e-6
    )


@pytest.mark.parametrize("optimizer", ["heavy_ball", "nesterov_convex"])
def test_the_error_of_the_ode_falls_with_the_root_of_the_step(optimizer):
    """Per factor 10 in η the recursion comes nearer to the ODE by about √10."""
    axis = ("share", "optimizer.lr.share", [1e-3, 1e-4, 1e-5])
    fixed = {"damping": 1.0} if optimizer == "heavy_ball" else {"r": 3.0}
    steps = np.unique(np.round(np.geomspace(1, 4000, 300)).astype(int)).tolist()
    made = tree(ode=block(optimizer, 0, [0, *steps], [axis], fixed))
    found = momentum.ode_error_ratio(made, "ode", "share")
    assert ((found.values > 2.3) & (found.values < 4.5)).all()


def test_what_cannot_be_estimated_is_said(world):
    """No maxima, no steps in the window, no recursion for the optimizer, no such rate."""
    with pytest.raises(NotEstimable, match="0 local maxima in the window where 5 are needed"):
        momentum.envelope_slope(world, "gd", (800, 3000))
    with pytest.raises(NotEstimable, match="not positive and complete"):
        momentum.rate_ratio(world, "gd", "gd", (7000, 8000))
    with pytest.raises(NotEstimable, match="no rate of theory is called adam"):
        momentum.rate_ratio(world, "gd", "adam", (3000, 6000))
    with pytest.raises(NotEstimable, match=r"r 9\.0 of block nesterov"):
        momentum.envelope_slope(world, "nesterov", (800, 3000), select={"r": 9.0})
    other = world["trained/gd"].to_dataset()
    fixed = json.loads(other.attrs["fixed"]) | {"optimizer": {"name": "adam"}}
    made = tree(adam=other.assign_attrs(fixed=json.dumps(fixed)))
    with pytest.raises(NotEstimable, match="no curve is predicted for adam"):
        momentum.largest_error(made, "adam")


def test_diverged_networks_are_left_out():
    """A seed whose network diverged has no rate; the others do."""
    node = block("gd", 1e-3, list(range(0, 3001, 100)))
    node.status[0] = "diverged"
    node.loss[0, 5:] = np.nan
    sample = momentum.rate_ratio(tree(gd=node), "gd", "gd", (1000, 3000))
    assert len(sample.values) == SEEDS - 1
    assert "1 of 5 seeds left out" in sample.note
