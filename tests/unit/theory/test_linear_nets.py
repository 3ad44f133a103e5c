"""Two-layer linear networks against autograd, SciPy, direct draws and the paper's own limits."""

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.integrate import solve_ivp
from tests.unit.linear_paths import decay, distance, flow, flow_limit

from minima.theory import linear_nets
from minima.theory.linear_nets import Net, descend, drawn, narrow, net, problem

FEATURES, POINTS, WIDTH = 12, 5, 30


def data(outputs: int = 1, points: int = POINTS, rank: int | None = None, seed: int = 0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(points, FEATURES)) / np.sqrt(FEATURES)
    if rank is not None:
        x[rank:] = rng.normal(size=(points - rank, rank)) @ x[:rank]
    return x, rng.normal(size=(points, outputs))


def weights(outputs: int = 1, width: int = WIDTH, networks: int = 3, seed: int = 1, scale: float = 0.3):
    rng = np.random.default_rng(seed)
    u, v = rng.normal(size=(networks, FEATURES, width)), rng.normal(size=(networks, outputs, width))
    return scale * u, scale * v


def instances():
    """Problems and networks of many shapes, at three scales of the start."""
    for outputs, points, rank in ((1, 5, None), (3, 5, None), (5, 3, None), (2, 6, 4)):
        x, y = data(outputs, points, rank, seed=outputs)
        for scale in (0.05, 0.3, 1.0):
            for width in (2, 8, WIDTH):
                yield problem(x, y), x, y, *weights(outputs, width, seed=width, scale=scale)


@pytest.mark.parametrize("rank", [None, 3])
def test_the_loss_that_is_left_is_the_least(rank):
    x, y = data(2, rank=rank)
    assert problem(x, y).least_loss == pytest.approx(
        ((y - x @ np.linalg.pinv(x, rcond=1e-12) @ y) ** 2).sum() / 2,
        abs=1e-14,
    )


@pytest.mark.parametrize("outputs", [1, 3])
def test_the_narrow_network_takes_the_path_of_direct_training(outputs):
    x, y = data(outputs)
    u, v = weights(outputs)
    rate, steps = 0.05, 300
    for row in range(len(u)):
        direct_u, direct_v = (torch.tensor(w[row], requires_grad=True) for w in (u, v))
        optimizer = torch.optim.SGD([direct_u, direct_v], lr=rate)
        for _ in range(steps):
            optimizer.zero_grad()
            ((torch.tensor(y) - torch.tensor(x) @ direct_u @ direct_v.T) ** 2).sum().div(2).backward()
            optimizer.step()
        wanted = (direct_u @ direct_v.T).detach().numpy()
        here = problem(x, y)
        (end,) = descend(here, narrow(net(here, u[row], v[row])), rate, [steps])
        loss = ((y - x @ wanted) ** 2).sum() / 2
        assert linear_nets.excess_loss(here, end) == pytest.approx(loss, rel=1e-9)
        expected = np.linalg.norm(wanted - np.linalg.pinv(x) @ y)
        assert distance(here, end) == pytest.approx(expected, rel=1e-11)


def test_networks_do_not_see_each_other():
    x, y = data()
    here, (u, v) = problem(x, y), weights()
    (together,) = descend(here, narrow(net(here, u, v)), 0.05, [100])
    (alone,) = descend(here, narrow(net(here, u[1], v[1])), 0.05, [100])
    np.testing.assert_allclose(together.v[1], alone.v, rtol=1e-12, atol=1e-15)


def test_narrowing_keeps_all_that_theory_looks_at():
    for here, _, _, u, v in instances():
        wide = net(here, u, v)
        thin = narrow(wide)
        assert thin.v.shape[-1] <= sum(here.targets.shape)
        for found, wanted in zip(linear_nets.product(thin), linear_nets.product(wide), strict=True):
            np.testing.assert_allclose(found, wanted, atol=1e-12)
        for question in (linear_nets.overlap, linear_nets.imbalance):
            np.testing.assert_allclose(question(thin), question(wide), atol=1e-11)


@pytest.mark.parametrize("outputs", [1, 3])
def test_the_flow_agrees_with_scipy(outputs):
    x, y = data(outputs)
    here, (u, v) = problem(x, y), weights(outputs, networks=1)

    def slope(_, flat):
        u, v = flat[: FEATURES * WIDTH].reshape(FEATURES, WIDTH), flat[FEATURES * WIDTH :].reshape(-1, WIDTH)
        pull = x.T @ (y - x @ u @ v.T)
        return np.concatenate([(pull @ v).ravel(), (pull.T @ u).ravel()])

    times = [0.5, 2.0, 20.0]
    flat = np.concatenate([u[0].ravel(), v[0].ravel()])
    solved = solve_ivp(slope, (0, 20), flat, "DOP853", times, rtol=1e-11, atol=1e-12).y.T
    for found, wanted in zip(flow(here, narrow(net(here, u, v)), times), solved, strict=True):
        product = (
            wanted[: FEATURES * WIDTH].reshape(FEATURES, WIDTH)
            @ wanted[FEATURES * WIDTH :].reshape(outputs, WIDTH).T
        )
        np.testing.assert_allclose(linear_nets.product(found)[0][0], here.rows.T @ product, atol=1e-8)
        expected = np.linalg.norm(product - np.linalg.pinv(x) @ y)
        assert distance(here, found)[0] == pytest.approx(expected, abs=1e-8)


def test_the_flow_is_where_gradient_descent_goes_at_ever_smaller_steps():
    x, y = data(2)
    here = problem(x, y)
    start = narrow(net(here, *weights(2)))
    (wanted,) = flow(here, start, [3.0])
    gaps = []
    for steps in (300, 600):
        (found,) = descend(here, start, 3.0 / steps, [steps])
        gaps.append(np.abs(linear_nets.error(here, found) - linear_nets.error(here, wanted)).max())
    assert gaps[0] / gaps[1] == pytest.approx(2, rel=0.02)


def test_the_flow_keeps_the_imbalance_to_rounding_even_where_it_is_rough():
    x, y = data(3)
    here = problem(x, y)
    start = narrow(net(here, *weights(3, scale=0.1)))
    end = flow_limit(here, start, residual=1e-3, tolerance=1e-2)
    matrix = linear_nets.imbalance_matrix(start)
    assert np.abs(linear_nets.imbalance_matrix(end) - matrix).max() < 1e-13
    assert np.abs(end.v - start.v).max() > 0.1


def test_the_flow_ends_where_theory_says():
    x, y = data(2)
    here, (u, v) = problem(x, y), weights(2)
    start = narrow(net(here, u, v))
    end = flow_limit(here, start, residual=1e-11)
    seen, unseen = linear_nets.product(end)
    np.testing.assert_allclose(seen, np.broadcast_to(here.minimum, seen.shape), atol=1e-9)
    np.testing.assert_allclose(distance(here, end), np.sqrt((unseen**2).sum((1, 2))), rtol=1e-9)


def test_a_start_on_the_invariant_set_ends_at_the_min_norm_solution():
    x, y = data(2)
    here = problem(x, y)
    start = net(here, *weights(2))
    z = np.concatenate([start.v, start.u1], axis=-2)
    q = np.linalg.qr(z.mT).Q
    start = start._replace(u2=start.u2 - start.u2 @ q @ q.mT)
    assert (linear_nets.overlap(start) < 1e-12).all()
    end = flow_limit(here, start, residual=1e-11)
    assert (distance(here, end) < 1e-9).all()
    half = start._replace(u2=start.u2 + start.u1[:, :1])  # V U2ᵀ = 0 alone is not enough
    end = flow_limit(here, half, residual=1e-11)
    assert (distance(here, end) > 1e-2).all()


def test_bartlett_draws_have_the_law_of_direct_draws():
    m, r, unseen, width, count = 2, 4, 3, 9, 1500
    stds = (0.7, 1.3)
    short = drawn(np.random.default_rng(0), count, width, m, r, unseen, stds)
    rng = np.random.default_rng(1)
    direct = Net(
        stds[1] * rng.standard_normal((count, m, width)),
        stds[0] * rng.standard_normal((count, r, width)),
        stds[0] * rng.standard_normal((count, unseen, width)),
    )
    for question in (
        lambda n: linear_nets.imbalance(n).gap,
        lambda n: linear_nets.imbalance(n).most,
        linear_nets.overlap,
        lambda n: (linear_nets.product(n)[0] ** 2).sum((1, 2)),
        lambda n: (linear_nets.product(n)[1] ** 2).sum((1, 2)),
        lambda n: (n.v[:, 0] * n.v[:, 1]).sum(1),
        lambda n: (n.v[:, 1] ** 2).sum(1),
    ):
        assert stats.ks_2samp(question(short), question(direct)).pvalue > 0.01
    wishart = (short.v @ short.v.mT)[:, 1, 1] / stds[1] ** 2
    assert wishart.mean() == pytest.approx(width, abs=4 * np.sqrt(2 * width / count))
    assert wishart.var() == pytest.approx(2 * width, rel=0.15)


def test_a_width_below_the_span_is_refused():
    with pytest.raises(ValueError, match="width 5 is less than the 6 units"):
        drawn(np.random.default_rng(0), 1, 5, 2, 4, 3, (1, 1))


def test_theorem_1_and_proposition_1_hold_along_every_path():
    for here, _, _, u, v in instances():
        start = narrow(net(here, u, v))
        imbalance = linear_nets.imbalance(start)
        slowest = linear_nets.rate(here, imbalance)
        first = linear_nets.excess_loss(here, start)
        times = [0.1, 1.0, 5.0]
        for time, there in zip(times, flow(here, start, times, tolerance=1e-6), strict=True):
            loss = linear_nets.excess_loss(here, there)
            assert (loss <= first * (np.exp(-slowest * time) * (1 + 1e-4) + 1e-16)).all()
            floor, now = linear_nets.rate_now(here, imbalance, there), decay(here, there)
            assert (slowest <= floor * (1 + 1e-9) + 1e-12).all()
            visible = loss > 1e-16 * first
            assert (floor <= now * (1 + 1e-6) + 1e-12)[visible].all()


def test_the_bound_on_the_rate_would_break_if_it_were_larger():
    """One point, one output, one unit: Proposition 1′ is an equality."""
    here = problem(np.array([[2.0]]), np.array([[1.0]]))
    one = net(here, np.array([[0.4]]), np.array([[0.9]]))
    floor = linear_nets.rate_now(here, linear_nets.imbalance(one), one)
    assert decay(here, one) == pytest.approx(float(floor), rel=1e-12)


def test_the_decay_is_the_slope_of_the_loss():
    x, y = data(2)
    here = problem(x, y)
    start = narrow(net(here, *weights(2)))
    (ahead,) = flow(here, start, [1e-5])
    losses = [linear_nets.excess_loss(here, n) for n in (start, ahead)]
    np.testing.assert_allclose(np.log(losses[0] / losses[1]) / 1e-5, decay(here, start), rtol=1e-3)


def test_lemma_1_and_theorem_2_hold_in_their_range():
    x, y = data()
    here = problem(x, y)
    delta = 0.05
    for alpha in (0.375, 0.5):
        width = int(linear_nets.theorem_width(here, alpha, delta)) + 1
        std = width**-alpha
        rng = np.random.default_rng(0)  # one by one, as `slack` draws
        draws = [drawn(rng, 1, width, 1, POINTS, FEATURES - POINTS, (std, std)) for _ in range(40)]
        start = linear_nets.Net(*(np.concatenate(parts) for parts in zip(*draws, strict=True)))
        bound = linear_nets.most_overlap(FEATURES, POINTS, 1, width, alpha, delta)
        assert (linear_nets.overlap(start) <= bound).all()
        assert (linear_nets.imbalance(start).gap > linear_nets.least_gap(width, alpha)).all()
        own = linear_nets.most_distance_from(here, start)
        assert (distance(here, flow_limit(here, start)) <= own).all()
        assert (own <= linear_nets.most_distance(here, width, alpha, delta)).all()
        found = linear_nets.slack(here, np.random.default_rng(0), 40, width, [alpha], delta)
        assert found.gap_slack[0].min() > 1
        np.testing.assert_allclose(found.overlap_slack[0] * bound, linear_nets.overlap(start))
        wanted = own / linear_nets.most_distance(here, width, alpha, delta)
        np.testing.assert_allclose(found.limit_slack[0], wanted)


def test_theorem_2_asks_for_more_width_than_lemma_1():
    """The lemma's 16 s² where all singular values are 1 and α = ½; else more, by the spectrum and by α."""
    x, y = data()
    flat = problem(np.linalg.qr(x.T).Q.T, y)
    lemma = linear_nets.lemma_width(FEATURES, 1, 0.05)
    assert lemma == pytest.approx(16 * (np.sqrt(FEATURES + 1) + np.log(40) / 2) ** 2)
    assert linear_nets.theorem_width(flat, 0.5, 0.05) == pytest.approx(lemma)
    assert linear_nets.theorem_width(flat, 0.375, 0.05) == pytest.approx(lemma**2)
    squares = np.linalg.svd(x, compute_uv=False) ** 2
    wanted = lemma / 4 * squares.max() / squares.min() ** 3
    assert wanted > lemma, "these data would not tell the two apart"
    assert linear_nets.theorem_width(problem(x, y), 0.5, 0.05) == pytest.approx(wanted)


def test_far_below_its_width_lemma_1_fails():
    """With hardly more units than rows c is under h^{1−2α} in most draws: lin-9 can break."""
    x, y = data()
    found = linear_nets.slack(problem(x, y), np.random.default_rng(0), 20, POINTS + 1, [0.375, 0.5], 0.05)
    assert (found.gap_slack < 1).mean() > 0.6
    np.testing.assert_allclose(*found.gap_slack, err_msg="α moves c and its bound alike")


def test_a_very_wide_network_ends_at_its_known_multiple_of_the_start():
    """m = 1, Σx ∝ I, α = ½: ‖V(∞)‖/‖V(0)‖ → (1 + ‖Θ̂‖²)^¼ as h → ∞, and with it ‖U2Vᵀ‖, if D − r is large."""
    x = np.linalg.qr(np.random.default_rng(0).normal(size=(FEATURES, POINTS))).Q.T
    here = problem(x, 2 * data()[1])
    width, unseen = 10**8, 10_000
    start = drawn(np.random.default_rng(1), 3, width, 1, POINTS, unseen, 2 * (width**-0.5,))
    end = flow_limit(here, start)
    wanted = (1 + (here.minimum**2).sum()) ** 0.25
    for part, rtol in ((lambda n: n.v, 1e-3), (lambda n: linear_nets.product(n)[1], 0.03)):
        before, after = (np.linalg.norm(part(n), axis=(1, 2)) for n in (start, end))
        np.testing.assert_allclose(after / before, wanted, rtol=rtol)
