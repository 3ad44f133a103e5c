"""Curves of the frozen kernel: against torch.optim, the engine, matrix exponentials and Bessel functions."""

from itertools import product

import mpmath
import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.special import gamma, jv
from tests.unit.helpers import CPU, arrays, cell, naive

from minima.engine.draws import gaussian
from minima.theory import dynamics
from minima.theory.dynamics import (
    amplitudes,
    bessel,
    damped,
    first_order,
    limit,
    loss_curve,
    speed_up,
)
from minima.training.cells import train_cells
from studies.momentum.theory import convex_bound, loss_rate, window

SPECTRUM = np.array([0.02, 0.3, 1.1])  # ηλ of three modes, all stable
NUMBERS = {
    "gd": {},
    "heavy_ball": {"momentum": 0.8},
    "nesterov": {"momentum": 0.8},
    "nesterov_convex": {"r": 3.0},
    "higher_momentum": {"beta1": 0.2, "beta2": 0.5},
}


def linear_model(generator_seed=0, points=4, parameters=9):
    """J [N, P], f₀ = 0 and targets, and the eigenbasis of JJᵀ."""
    rng = np.random.default_rng(generator_seed)
    jacobian, targets = rng.normal(size=(points, parameters)), rng.normal(size=points)
    eigenvalues, basis = np.linalg.eigh(jacobian @ jacobian.T)
    return jacobian, targets, eigenvalues, basis


# The recursions


@pytest.mark.parametrize("optimizer", ["gd", "heavy_ball", "nesterov"])
def test_recursions_are_torch_on_a_linear_model(optimizer):
    """‖Ju − y‖²/2 by torch.optim, error by error, to rounding over 300 steps."""
    jacobian, targets, eigenvalues, basis = linear_model()
    rate = 0.5 / eigenvalues[-1]
    momentum = NUMBERS[optimizer].get("momentum", 0.0)
    u = torch.zeros(jacobian.shape[1], dtype=torch.float64, requires_grad=True)
    torch_optimizer = torch.optim.SGD([u], rate, momentum, nesterov=optimizer == "nesterov")
    errors = []
    for _ in range(301):
        error = torch.tensor(jacobian) @ u - torch.tensor(targets)
        errors.append(error.detach().numpy())
        torch_optimizer.zero_grad()
        (error.square().sum() / 2).backward()
        torch_optimizer.step()
    found = amplitudes(optimizer, rate * eigenvalues, range(301), NUMBERS[optimizer])
    expected = basis.T @ np.array(errors).T
    np.testing.assert_allclose(found * (basis.T @ -targets)[:, None], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("optimizer", NUMBERS)
def test_recursions_are_the_engine_on_a_network_linear_in_its_weights(optimizer):
    """A linear net of which only the first layer is trained: its loss is predicted at every step."""
    split = arrays(points=4)
    (done,) = train_cells(
        [
            cell(
                network={"width": 16, "activation": "linear", "frozen": [2]},
                optimizer={"name": optimizer, "lr": {"relative": 0.2}} | NUMBERS[optimizer],
                stop={"residual": 1e-300, "max_steps": 300},
                record={"steps": list(range(301))},
                predict=[],
            )
        ],
        [split],
        CPU,
    )
    first, last = (w[0] for w in gaussian([(16, 5), (1, 16)], [1.0, 1.0], 0))
    kernel = split.x_train @ split.x_train.T / 5 * np.square(last).sum() / 16
    eigenvalues, basis = np.linalg.eigh(kernel)
    f = naive([torch.tensor(first), torch.tensor(last)], torch.tensor(split.x_train), "linear", "ntk")
    x = done.values["learning_rate"] / 4 * eigenvalues
    parts = basis.T @ (f.numpy() - split.y_train)[:, 0]
    curve = loss_curve(amplitudes(optimizer, x, range(301), NUMBERS[optimizer]), parts)
    measured = done.values["loss"] / done.values["loss"][0]
    np.testing.assert_allclose(np.sqrt(curve), np.sqrt(measured), rtol=0, atol=1e-13)


def test_networks_with_numbers_of_their_own_are_followed_together():
    """Numbers and kernels broadcast: a stack of networks gives what each gives alone."""
    x, momenta = np.stack([SPECTRUM, SPECTRUM / 2]), np.array([[0.5], [0.9]])
    together = amplitudes("heavy_ball", x, [0, 7, 50], {"momentum": momenta})
    assert together.shape == (2, 3, 3)
    for row in range(2):
        alone = amplitudes("heavy_ball", x[row], [0, 7, 50], {"momentum": momenta[row, 0]})
        np.testing.assert_array_equal(together[row], alone)


def test_steps_are_picked_from_every_step():
    """Asked for some steps, the values are those among all steps; falling steps are refused."""
    every = amplitudes("nesterov_convex", SPECTRUM, range(41), {"r": 4})
    np.testing.assert_array_equal(
        amplitudes("nesterov_convex", SPECTRUM, [0, 3, 40], {"r": 4}), every[:, [0, 3, 40]]
    )
    assert amplitudes("gd", SPECTRUM, [], {}).shape == (3, 0)
    with pytest.raises(ValueError, match="rise"):
        amplitudes("gd", SPECTRUM, [3, 2], {})


# The ODEs


def exponential(damping, eigenvalue, times):
    """A of Ä + bȦ + λA = 0 from rest: the corner of exp(t [[0, 1], [−λ, −b]]) in 40 digits, rounded once."""
    with mpmath.workdps(40):
        matrix = mpmath.matrix([[0, 1], [-mpmath.mpf(eigenvalue), -mpmath.mpf(damping)]])
        return np.array([float(mpmath.expm(matrix * mpmath.mpf(time))[0, 0]) for time in times])


@pytest.mark.parametrize("regime", [0.0, 0.5, 1.999, 2.0, 2.001, 3.0, 20.0])
def test_damped_is_the_exponential_of_its_matrix_in_every_regime(regime):
    """Swinging, critical and creeping, b in units of √λ. The cosine rounds its argument, up to 24, twice."""
    times = np.linspace(0, 12, 20)
    for eigenvalue in (0.3, 4.0):
        damping = regime * eigenvalue**0.5
        expected = exponential(damping, eigenvalue, times)
        np.testing.assert_allclose(damped([eigenvalue], times, damping)[0], expected, rtol=0, atol=5e-15)


def test_damped_is_continuous_through_the_critical_damping():
    """From both sides, to rounding times the distance: e^{−bt/2}(1 + bt/2) is met."""
    times, b = np.linspace(0, 30, 50), 2 * 0.7**0.5
    critical = np.exp(-b * times / 2) * (1 + b * times / 2)
    for distance in (0.0, 1e-15, -1e-15, 1e-10, -1e-10, 1e-6, -1e-6):
        found = damped([0.7 * (1 + distance)], times, b)[0]
        np.testing.assert_allclose(found, critical, rtol=0, atol=1e-14 + 100 * abs(distance))


def test_damped_neither_overflows_nor_forgets_a_slow_mode():
    """Strong damping creeps as e^{−λt/b}, 1e6 time units later still; no friction swings; no force stays."""
    np.testing.assert_allclose(damped([1.0], [1e6], 1e4)[0, 0], np.exp(-100.0), rtol=1e-4)
    np.testing.assert_allclose(damped([4.0], [np.pi / 4], 0.0)[0, 0], 0, atol=1e-15)
    np.testing.assert_array_equal(damped([0.0], [0.0, 5.0], [0.0])[0], 1)
    np.testing.assert_array_equal(damped([0.0], [0.0, 5.0], [3.0])[0], 1)


@pytest.mark.parametrize("r", [1.0, 2.0, 3.0, 4.0, 6.0])
def test_bessel_is_scipys_function_and_integral(r):
    """Orders 0, ½, 1, 3/2, 5/2; the integral starts a little after the singular t = 0 on the series there."""
    times, eigenvalue, order = np.linspace(0.5, 40, 80), 1.7, (r - 1) / 2
    found = bessel([eigenvalue], times, r)[0]
    z = eigenvalue**0.5 * times
    expected = gamma(order + 1) * (2 / z) ** order * jv(order, z)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)
    begin = 1e-4
    start = [1 - eigenvalue * begin**2 / (2 * (r + 1)), -eigenvalue * begin / (r + 1)]
    solved = solve_ivp(
        lambda t, s: [s[1], -r / t * s[1] - eigenvalue * s[0]],
        (begin, 40),
        start,
        "DOP853",
        times,
        rtol=1e-12,
        atol=1e-14,
    )
    np.testing.assert_allclose(found, solved.y[0], rtol=0, atol=1e-9)


def test_bessel_of_half_integer_order_is_elementary():
    """r = 2: sin z/z; r = 4: 3(sin z − z cos z)/z³."""
    z = np.linspace(0.3, 60, 100)
    np.testing.assert_allclose(bessel([1.0], z, 2)[0], np.sin(z) / z, rtol=0, atol=1e-14)
    expected = 3 * (np.sin(z) - z * np.cos(z)) / z**3
    np.testing.assert_allclose(bessel([1.0], z, 4)[0], expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("optimizer", NUMBERS)
def test_everything_starts_at_one(optimizer):
    """At t = 0 and at step 0 nothing has moved."""
    np.testing.assert_array_equal(limit(optimizer, SPECTRUM, [0], NUMBERS[optimizer]), 1)
    np.testing.assert_array_equal(amplitudes(optimizer, SPECTRUM, [0], NUMBERS[optimizer]), 1)


@pytest.mark.parametrize(
    ("optimizer", "time", "numbers", "order"),
    [
        ("gd", lambda x: 1 / x, lambda x: {}, 1),
        ("heavy_ball", lambda x: x**-0.5, lambda x: {"momentum": 1 - 1.3 * x**0.5}, 0.5),
        ("nesterov", lambda x: x**-0.5, lambda x: {"momentum": 1 - 1.3 * x**0.5}, 0.5),
        ("nesterov_convex", lambda x: x**-0.5, lambda x: {"r": 3.0}, 0.5),
        ("higher_momentum", lambda x: 0.3 / x, lambda x: {"beta1": 0.2, "beta2": 0.5}, 1),
    ],
)
def test_recursions_tend_to_their_odes(optimizer, time, numbers, order):
    """At fixed times t/√λ up to 10 the error falls as η (first order) or √η (second) when η does by 10."""
    errors = []
    for x in (1e-3, 1e-4, 1e-5):
        steps = np.unique(np.round(time(x) * np.linspace(0, 10, 40)).astype(int))
        given = numbers(x)
        gap = amplitudes(optimizer, [x], steps, given) - limit(optimizer, [x], steps, given)
        errors.append(np.abs(gap).max())
    orders = np.log10(np.array(errors[:-1]) / errors[1:])
    np.testing.assert_allclose(orders, order, atol=0.1)


@pytest.mark.parametrize("optimizer", ["heavy_ball", "higher_momentum"])
def test_fixed_momentum_is_gradient_descent_further_along(optimizer):
    """At small η with the momentum as it is: e^{−λt} at t = kη/(1 − μ), kη/(1 − β₁ − β₂)."""
    numbers = NUMBERS[optimizer]
    steps = np.arange(0, 200_001, 2000)
    found = amplitudes(optimizer, [1e-5], steps, numbers)
    expected = first_order([1e-5 * speed_up(optimizer, numbers)], steps)
    np.testing.assert_allclose(found, expected, rtol=0, atol=3e-4)


# Rates


@pytest.mark.parametrize("optimizer", [name for name in NUMBERS if name != "nesterov_convex"])
def test_rates_are_those_of_long_trajectories(optimizer):
    """The slope of the log of the energy A_k² + A_{k+1}² over many swings; Nesterov's changing μ is below."""
    numbers = NUMBERS[optimizer]
    x = np.array([0.002, 0.02])
    steps = np.array([800, 801, 2400, 2401])
    a, b, c, d = amplitudes(optimizer, x, steps, numbers).T ** 2
    measured = np.log((a + b) / (c + d)) / 1600
    np.testing.assert_allclose(measured, loss_rate(optimizer, x, numbers), rtol=0.02)


def test_rates_of_the_table():
    """gd −2 log(1 − x); heavy ball −log μ where it swings and GD's at η/(1 − μ) where it creeps."""
    np.testing.assert_allclose(loss_rate("gd", SPECTRUM, {}), -2 * np.log(np.abs(1 - SPECTRUM)))
    swinging = loss_rate("heavy_ball", [1e-3, 1e-2], {"momentum": 0.99})
    np.testing.assert_allclose(swinging, -np.log(0.99), rtol=1e-6)
    x, momentum = 1e-6, 0.9
    creeping = loss_rate("heavy_ball", x, {"momentum": momentum})
    assert creeping == pytest.approx(2 * x / (1 - momentum), rel=1e-3)
    half, b = (1 - momentum) / 2, 1 - momentum  # the ODE's b − √(b² − 4λ), time in steps
    assert creeping == pytest.approx(b - 2 * (half**2 - x) ** 0.5, rel=0.2)
    assert loss_rate("nesterov", 1e-3, {"momentum": 0.97}) == pytest.approx(-np.log(0.97 * 0.999))
    assert loss_rate("nesterov_convex", 1e-3, {"r": 3}) == pytest.approx(-np.log(0.999), rel=1e-6)


def test_two_momenta_are_unstable_beyond_one():
    """β₁ + β₂ = 1.1 grows, .7 and 1.0 − .05 fall; at β = (.2, .8) |z|² ≈ 1 − ηλ/4: slow, not divergent."""
    x = np.array([1e-3, 1e-2])
    assert (loss_rate("higher_momentum", x, {"beta1": 0.3, "beta2": 0.8}) < 0).all()
    for beta2 in (0.5, 0.75):
        assert (loss_rate("higher_momentum", x, {"beta1": 0.2, "beta2": beta2}) > 0).all()
    slow = loss_rate("higher_momentum", x, {"beta1": 0.2, "beta2": 0.8})
    np.testing.assert_allclose(slow, 0.25 * x, rtol=0.1)


def test_rates_broadcast_over_networks():
    """Numbers of networks in front, modes behind."""
    momenta = np.array([[0.5], [0.9]])
    found = loss_rate("heavy_ball", SPECTRUM, {"momentum": momenta})
    assert found.shape == (2, 3)
    np.testing.assert_allclose(found[1], loss_rate("heavy_ball", SPECTRUM, {"momentum": 0.9}))


# Nesterov's window


@pytest.mark.parametrize("r", [2.0, 3.0, 4.0, 6.0])
def test_the_envelope_is_a_power_law_and_then_exponential(r):
    """Maxima of A² fall as k^{−r} inside the window, at rate x(1 + r/kx) after it; the crossover is r/x."""

    def peaks(x, last):
        a = amplitudes("nesterov_convex", [x], range(last), {"r": r})[0] ** 2
        at = np.flatnonzero((a[1:-1] > a[:-2]) & (a[1:-1] > a[2:])) + 1
        return at, np.log(a[at])

    x = 1e-6
    low, high = window(x)
    steps, heights = peaks(x, 50_000)
    inside = (steps > 10 * low) & (steps < high / 20)
    assert np.polyfit(np.log(steps[inside]), heights[inside], 1)[0] == pytest.approx(-r, abs=0.1)

    x = 1e-3
    low, high = window(x)
    steps, heights = peaks(x, 20_000)
    late = steps > 10 * high
    rate = -np.polyfit(steps[late], heights[late], 1)[0]
    last = loss_rate("nesterov_convex", x, {})
    assert rate == pytest.approx((last + r / steps[late]).mean(), rel=0.02)
    near = np.abs(np.log(steps * x / r)) < 0.3
    slope = np.polyfit(np.log(steps[near]), heights[near], 1)[0]
    assert slope == pytest.approx(-2 * r, rel=0.05)  # both laws at once, one as steep as the other


@pytest.mark.parametrize("r", [3.0, 4.0, 6.0])
def test_the_convex_bound_holds_in_discrete_steps(r):
    """(r − 1)²/(λ₀t²) lies above the loss of the slowest mode alone, and three times lower it would not."""
    steps = np.arange(1, 20_000)
    curve = amplitudes("nesterov_convex", [1e-4], steps, {"r": r})[0] ** 2
    ratio = (curve / convex_bound(1e-4, r, steps)).max()
    assert 0 < ratio <= 1
    assert convex_bound(1e-4, r, 0) == np.inf


def test_loss_curves_weigh_modes_by_their_share():
    """Half the squared error in each of two modes: the mean of their squares."""
    found = loss_curve(np.array([[1.0, 0.5], [1.0, 0.1]]), np.array([3.0, -3.0]))
    np.testing.assert_allclose(found, [1, (0.25 + 0.01) / 2])
    for a, b in product((1.0, 2.0), repeat=2):
        assert loss_curve(np.ones((2, 1)), [a, b])[0] == 1


def test_every_recursion_says_its_numbers():
    """One table of recursions, one of their numbers, for the same optimizers."""
    assert dynamics.RECURSIONS.keys() == dynamics.NUMBERS.keys() == NUMBERS.keys()
    for name, numbers in NUMBERS.items():
        assert set(dynamics.NUMBERS[name]) == set(numbers)
