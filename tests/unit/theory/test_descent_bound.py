"""Bounds on gradient descent of two linear layers: against the formulas written out, roots found by NumPy and
steps taken one by one."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from tests.unit.linear_descent import instance, loss_of, operator, polynomial, roots, written_out

from minima.engine.decay_bound import DecayBound, positive_root
from minima.theory import descent_bound
from minima.theory.linear_nets import Net, net, problem

SHAPES = [(6, 6), (6, 2), (3, 5), (6, 1)]  # inputs = rows, outputs
CS = [(0.5, 1.5), (0.9, 1.1)]


def theory(x, y, first, second):
    data = problem(x, y)
    return data, net(data, first, second.T)


@pytest.mark.parametrize("off", [None, 0.01])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_constants_are_those_of_the_table(shape, off):
    where = instance(*shape, off=off)
    found = descent_bound.constants(*theory(*where))
    wanted = written_out(*where)
    here = found.least_product, found.most_product, found.alpha, found.covered, found.beta
    np.testing.assert_allclose(here, wanted, rtol=1e-9, atol=1e-9)
    assert (found.least_product > 0) == (off is not None)
    assert found.loss == pytest.approx(loss_of(*where))
    sigma = np.linalg.svd(where[0], compute_uv=False)
    assert (found.mu, found.largest) == pytest.approx((sigma[-1] ** 2, sigma[0] ** 2))
    assert found.norm == pytest.approx(np.linalg.norm(where[1]))


@pytest.mark.parametrize("scales", [(1.0, 1.0), (0.3, 3.0)])
@pytest.mark.parametrize("shape", SHAPES)
def test_they_bound_the_operator_at_the_start(shape, scales):
    """τ as a matrix of all pairs; α0 with p1 in both summands may exceed its least eigenvalue for n ≠ m, the
    covered one does not."""
    x, y, first, second = instance(*shape, scales=scales, off=0.01)
    found = descent_bound.constants(*theory(x, y, first, second))
    extremes = np.linalg.eigvalsh(operator(first, second))[[0, -1]]
    assert found.covered <= extremes[0] * (1 + 1e-9)
    assert extremes[1] <= found.beta * (1 + 1e-9)


def test_the_printed_constant_is_above_the_operators_least_eigenvalue_for_one_output():
    """Balanced, of rank one: λmin(τ) = ‖W‖, and α0 is nearly twice that."""
    rng = np.random.default_rng(0)
    product, hidden = rng.normal(size=(6, 1)), np.eye(30)[:1]
    root = np.sqrt(np.linalg.norm(product))
    first, second = product / root @ hidden, root * hidden.T
    x = np.eye(6)
    found = descent_bound.constants(*theory(x, product + 1e-3, first, second))
    least = np.linalg.eigvalsh(operator(first, second))[0]
    assert least == pytest.approx(np.linalg.norm(product))
    assert found.alpha > 1.9 * least
    assert found.covered <= least


@pytest.mark.parametrize("c", CS)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_factor_and_the_rates_are_roots_of_the_printed_polynomials(shape, c):
    where = instance(*shape)
    start = descent_bound.constants(*theory(*where))
    bound, now = descent_bound.decay(start, *c), 0.3 * start.loss
    a1, a2, a3, a4 = polynomial(*where, *c, loss=now)
    rate = 0.7 * a1 / a2
    wanted = 1 - a1 * rate + a2 * rate**2 + a3 * rate**3 + a4 * rate**4
    assert bound.factor(rate, now) == pytest.approx(wanted, rel=1e-12)
    best = roots(4 * a4, 3 * a3, 2 * a2, -a1)
    assert bound.best_rate(now) == pytest.approx(best, rel=1e-12)
    found = minimize_scalar(lambda eta: bound.factor(eta, now), (0, best), (0, 10 * best), method="bounded")
    assert bound.best_rate(now) == pytest.approx(found.x, rel=1e-2)
    a1, a2, a3, a4 = polynomial(*where, *c, loss=start.loss)
    c1, c2 = c
    more = (
        4 * c2 * start.loss * start.largest / (c2 - 1),
        8 * c2 * start.beta * start.loss * start.largest / ((1 - c1) * start.alpha),
    )
    largest = min(roots(a4, a3, a2 + x, -a1) for x in more)
    assert descent_bound.largest_rate(start, *c) == pytest.approx(largest, rel=1e-12)
    first = min(largest, roots(4 * a4, 3 * a3, 2 * a2, -a1))
    assert descent_bound.first_rate(start, *c) == pytest.approx(first, rel=1e-12)


def test_the_root_is_found_at_any_sizes_of_the_coefficients():
    """Where one term rules, or two, over twenty decades; exactly, where there is one term."""
    rng = np.random.default_rng(0)
    for cube, square, slope, value in 10 ** rng.uniform(-10, 10, (200, 4)):
        at = positive_root(cube, square, slope, value)
        assert cube * at**3 + square * at**2 + slope * at == pytest.approx(value, rel=1e-13)
    assert positive_root(8.0, 0.0, 0.0, 1.0) == pytest.approx(0.5, rel=1e-15)
    assert positive_root(0.0, 0.0, 2.0, 1.0) == 0.5


def test_units_of_the_mean_loss_are_the_same_bound():
    bound = DecayBound(0.3, 0.4, 0.2, 0.05, 0.6)
    other = bound.per_point(7)
    assert other.factor(7 * 0.2, 0.5 / 7) == pytest.approx(bound.factor(0.2, 0.5), rel=1e-14)
    assert other.best_rate(0.5 / 7) == pytest.approx(7 * bound.best_rate(0.5), rel=1e-14)


@pytest.mark.parametrize("c", CS)
@pytest.mark.parametrize("scales", [(0.3, 3.0), (1.0, 1.0)])
def test_steps_within_the_largest_keep_the_bounds(c, scales):
    """Theorems 3.1 and 3.2 for n = m: Algorithm 1, one step after the other, and the bound on the loss."""
    x, y, first, second = instance(6, 6, width=40, scales=scales)
    data, here = theory(x, y, first, second)
    start = descent_bound.constants(data, here)
    bound = descent_bound.decay(start, *c)
    loss = loss_of(x, y, first, second)
    for _ in range(30):
        rate = float(descent_bound.next_rate(start, loss, *c))
        slope = x.T @ (y - x @ first @ second)
        first, second = first + rate * slope @ second.T, second + rate * first.T @ slope
        after = loss_of(x, y, first, second)
        assert after <= bound.factor(rate, loss) * loss
        extremes = np.linalg.eigvalsh(operator(first, second))[[0, -1]]
        assert c[0] * start.alpha <= extremes[0]
        assert extremes[1] <= c[1] * start.beta
        loss = after


def test_a_start_without_guarantee_has_no_rate():
    """Balanced and far from the targets: α0 = 0."""
    product = np.diag([1.0, 2.0, 3.0])
    found = descent_bound.constants(*theory(np.eye(3), -product, np.sqrt(product), np.sqrt(product)))
    assert found.alpha == pytest.approx(0, abs=1e-12)
    found = found._replace(alpha=np.array(0.0))
    assert descent_bound.largest_rate(found, 0.5, 1.5) == 0
    assert descent_bound.first_rate(found, 0.5, 1.5) == 0


def test_rivals_take_their_theorems_largest_steps():
    x, y, first, second = instance(4, 4, off=0.01)
    found = descent_bound.constants(*theory(x, y, first, second))
    norm = np.sqrt((y**2).sum())
    assert descent_bound.pessimistic_rate(found) == pytest.approx(found.least_product**3 / 49152 / norm**4)
    assert descent_bound.inverse_norm_rate(found) == pytest.approx(0.01 / norm)


def test_networks_in_a_stack_have_constants_of_their_own():
    x, y, first, second = instance(4, 2)
    data, one = theory(x, y, first, second)
    both = Net(*(np.stack([part, 2 * part]) for part in one))
    found = descent_bound.constants(data, both)
    for row, scale in enumerate((1, 2)):
        alone = descent_bound.constants(data, Net(*(scale * part for part in one)))
        assert found.alpha[row] == pytest.approx(alone.alpha)
        assert descent_bound.largest_rate(found, 0.5, 1.5)[row] == pytest.approx(
            descent_bound.largest_rate(alone, 0.5, 1.5)
        )
