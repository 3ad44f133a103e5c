"""The first order of the imbalance's drift, against SciPy on the wide network and against small steps."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from tests.unit.linear_descent import instance

from minima.theory.drift import drift
from minima.theory.linear_nets import Net, descend, imbalance_matrix, narrow, net, problem

SHAPES = [(4, 4), (5, 2), (2, 3)]  # inputs = rows, outputs


@pytest.mark.parametrize("scales", [(1.0, 1.0), (0.1, 0.2)])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_integral_is_that_of_the_wide_network(shape, scales):
    """Its norm and trace, which no basis of the hidden units changes."""
    x, y, first, second = instance(*shape, width=12, scales=scales)
    sizes = first.size, first.size + second.size

    def slope(_, flat):
        w1, w2 = flat[: sizes[0]].reshape(first.shape), flat[sizes[0] : sizes[1]].reshape(second.shape)
        g = x.T @ (y - x @ w1 @ w2)
        moves = w2 @ g.T @ g @ w2.T - w1.T @ g @ g.T @ w1
        return np.concatenate([(g @ w2.T).ravel(), (w1.T @ g).ravel(), moves.ravel()])

    flat = np.concatenate([first.ravel(), second.ravel(), np.zeros(12 * 12)])
    solved = solve_ivp(slope, (0, 400), flat, "LSODA", rtol=1e-11, atol=1e-13).y[sizes[1] :, -1]
    data = problem(x, y)
    for here in (net(data, first, second.T), narrow(net(data, first, second.T))):
        found = drift(data, here)
        assert np.linalg.norm(found) == pytest.approx(np.linalg.norm(solved), rel=1e-7)
        assert np.trace(found) == pytest.approx(np.trace(solved.reshape(12, 12)), rel=1e-7)


def test_small_steps_drift_as_it_says():
    """To first order: what is left falls with the step."""
    x, y, first, second = instance(4, 3, width=12)
    data = problem(x, y)
    here = narrow(net(data, first, second.T))
    wanted, left = drift(data, here), []
    for rate in (1e-3, 5e-4):
        (end,) = descend(data, here, rate, [round(20 / rate)])
        moved = (imbalance_matrix(end) - imbalance_matrix(here)) / rate
        left.append(np.linalg.norm(moved - wanted) / np.linalg.norm(wanted))
    assert left[0] < 0.05
    assert left[0] / left[1] == pytest.approx(2, rel=0.1)


def test_a_network_at_its_end_drifts_no_more():
    x = np.eye(3)
    data = problem(x, x)
    assert not drift(data, net(data, x, x)).any()


def test_a_network_that_never_gets_there_has_no_drift():
    """At the saddle the flow stands still."""
    data = problem(np.eye(2), np.eye(2))
    still = Net(np.zeros((2, 4)), np.zeros((2, 4)), np.zeros((0, 4)))
    assert np.isnan(drift(data, still)).all()
