"""The numbers of the science pages that need no trained network: python docs/science/checks.py [--write]

Each page shows what its function says here, in a block that --write renews and that a test compares. Wants
PYTHONPATH=workflow_scripts.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
import xarray as xr
import yaml
from numpy.typing import NDArray
from scipy import stats as scipy_stats
from scipy.integrate import solve_ivp
from scipy.special import zeta
from steps import networks

from minima.data.prepare import prepare
from minima.engine.draws import gaussian
from minima.engine.ensemble import Ensemble
from minima.engine.jacobians import jacobian
from minima.engine.networks.mlp import MLP
from minima.streams import stream
from minima.theory import descent_bound, linear_nets
from minima.theory.flows import Rule, limit_of_flow
from minima.theory.infinite_width import trained_limit
from minima.theory.kernels import nngp_diagonal
from minima.theory.linearization import Linearization
from studies.finite_steps.quantities import (
    PAPER_RATIOS,
    PAPER_SQUARE,
    PAPER_SQUARE_START,
    PAPER_SQUARE_STEPS,
)
from studies.momentum.theory import loss_rate, window

Array = NDArray[np.float64]
STUDIES = Path(__file__).parents[2] / "workflow_scripts" / "studies"
RECIPES = {
    name: recipe
    for path in STUDIES.glob("*/study.yaml")
    for name, recipe in yaml.safe_load(path.read_text(encoding="utf-8"))["data"].items()
}


def statistics() -> Iterator[str]:
    """How much two seeds share, and how often intervals of few units hold the truth."""
    data = prepare(RECIPES["digits_3_8"], range(100, 110), ".")
    tests = [set(map(bytes, split)) for split in data.x_test.values]
    shared = [len(one & other) / len(one) for one, other in combinations(tests, 2)]
    yield f"test points of one seed that another has too, digits 3 against 8    {np.mean(shared):.0%}"
    yield "95 % intervals that hold the mean of n normal units"
    for n in (5, 6, 10, 20):
        draws = stream(n, "coverage").standard_normal((20_000, n))
        resampling = {"n_resamples": 999, "rng": stream(n, "bootstrap")}
        covered = [
            np.mean((found.low <= 0) & (found.high >= 0))
            for found in (
                scipy_stats.ttest_1samp(draws, 0, axis=-1).confidence_interval(),
                scipy_stats.bootstrap((draws[:1000],), np.mean, axis=-1, **resampling).confidence_interval,
            )
        ]
        yield f"    n = {n:2}: Student's {covered[0]:.0%}, BCa {covered[1]:.0%}"


def init_size() -> Iterator[str]:
    """σ* on the study's data, and why the share is taken over pairs."""
    data = prepare(RECIPES["digits_3_8"], range(100, 110), ".")
    columns = []
    for split in range(10):
        x, y, x_test, y_test = (
            data[name][split].values for name in ("x_train", "y_train", "x_test", "y_test")
        )
        limit = trained_limit(x, y, x_test, depth=3)
        columns.append(
            (limit.interpolant_mse(y_test), limit.variance.mean(), nngp_diagonal(x_test, depth=3).mean())
        )
    mse, projected, whole = np.mean(columns, axis=0)
    yield f"σ* of infinitely wide networks, H = 3          {(mse / projected) ** (1 / 6):.2f}"
    yield f"the same with V = mean f₀², not projected      {(mse / whole) ** (1 / 6):.2f}"
    singles, pairs = [], []
    scales = np.array([1.5, 2, 3])
    for split in range(6):
        f_int, f_init, y_test = _split_minimizer(data.isel(split=split), seed=split)
        base = np.mean((f_int - y_test) ** 2)
        twins = [
            np.array([np.mean((f_int + sign * s**2 * f_init - y_test) ** 2) for s in scales]) - base
            for sign in (1, -1)
        ]
        singles.append(_slope(scales, twins[0]))
        pairs.append(_slope(scales, (twins[0] + twins[1]) / 2))
    yield f"slope of MSE − MSE_int in σ, H = 2, one network {min(singles):.2f} to {max(singles):.2f}"
    yield f"the same, mean of a flipped pair               {min(pairs):.2f} to {max(pairs):.2f}"


def _split_minimizer(data: xr.Dataset, seed: int, width: int = 256) -> tuple[Array, Array, Array]:
    """f_int and f_init at σ = 1 of a linearized network with two weight matrices, and the targets."""
    ensemble, weights, x = _network(data, seed, width)
    f, tangent = jacobian(ensemble, weights, x)
    n = len(data.y_train)
    kernel, f = tangent.kernel(tangent.first(n))[0].numpy(), f[0].numpy()
    onto = np.linalg.solve(kernel[:n], kernel[n:].T).T  # Θ_xΘ⁻¹
    return onto @ data.y_train.values, f[n:] - onto @ f[:n], data.y_test.values


def _network(data: xr.Dataset, seed: int, width: int) -> tuple[Ensemble, list[torch.Tensor], torch.Tensor]:
    """A network as the studies draw it, of two weight matrices at σ = 1, and the training and test points."""
    x = torch.tensor(np.concatenate([data.x_train, data.x_test]))[None]
    model = MLP((x.shape[2], width, 1), "relu", "ntk")
    weights = gaussian(model.weight_shapes, model.draw_stds, seed)
    return Ensemble(model), [torch.tensor(layer)[None] for layer in weights], x


def finite_steps() -> Iterator[str]:
    """What §4.1 can give as printed, what its figure says, and α0 in §4.2."""
    found = {scale: [_square(seed, scale) for seed in range(20)] for scale in PAPER_SQUARE}
    every = [one for some in found.values() for one in some]
    most = [descent_bound.largest_rate(one, 0.5, 1.5) for one in every]
    left = [
        1 - descent_bound.decay(one, 0.5, 1.5).factor(rate, one.loss)
        for one, rate in zip(every, most, strict=True)
    ]
    conditions = [one.condition for one in found[0.1]]
    yield "§4.1 as printed, 20 draws for each of σ = 0.1, 2, 10"
    yield f"κ of X                                       {min(conditions):.0f} to {max(conditions):.0f}"
    logs = np.log10([one.loss for one in every])
    yield f"log10 L(0)                                   {logs.min():.2f} to {logs.max():.2f}"
    yield f"ηmax                                         {min(most):.1e} to {max(most):.1e}"
    yield f"1 − f(ηmax, 0)                               {min(left):.1e} to {max(left):.1e}"
    yield "Figure 1: fall of its adaptive bound's log in a step, the most for κ = 1, decays over the bounds'"
    yield "σ      α0/β0   fall     the most   fixed, adaptive"
    for scale, (fixed, its_bound, adaptive, bound) in PAPER_SQUARE.items():
        ratio = PAPER_RATIOS[scale]
        step = (PAPER_SQUARE_START - bound) * np.log(10) / PAPER_SQUARE_STEPS
        pairs = ((fixed, its_bound), (adaptive, bound))
        over = ", ".join(
            f"{(PAPER_SQUARE_START - end) / (PAPER_SQUARE_START - bounded):.2f}" for end, bounded in pairs
        )
        yield f"{scale:<6g} {ratio:<7g} {step:<8.4f} {-np.log1p(-(ratio**2) / 9):<10.4f} {over}"
    near = [_near(seed) for seed in range(20)]
    yield "§4.2, 20 draws: over λmin(τ) at the start"
    for name, place in (("α0 as printed", 0), ("α0 with p1 in one summand", 1)):
        values = [one[place] for one in near]
        yield f"{name:<44} {min(values):.2f} to {max(values):.2f}"


def _square(seed: int, scale: float) -> descent_bound.Constants:
    """The constants of a draw of §4.1 as printed, h = 1000."""
    rng = stream(seed, "check")
    x, theta = rng.standard_normal((2, 20, 20))
    first, second = scale * rng.standard_normal((20, 1000)), rng.standard_normal((20, 1000)) / scale
    data = linear_nets.problem(x, x @ theta)
    return descent_bound.constants(data, linear_nets.narrow(linear_nets.net(data, first, second)))


def _near(seed: int) -> tuple[float, float]:
    """α0, printed and covered, over λmin(τ) of a draw of §4.2, noise 0.01."""
    rng = stream(seed, "check")
    product = rng.standard_normal((20, 1)) / 2
    size, unit = np.linalg.norm(product), np.zeros((1, 40))
    unit[0, 0] = 1
    data = linear_nets.problem(np.eye(20), product + 0.01 * rng.standard_normal((20, 1)))
    start = linear_nets.net(data, product / np.sqrt(size) @ unit, np.sqrt(size) * unit)
    found = descent_bound.constants(data, linear_nets.narrow(start))
    return float(found.alpha / size), float(found.covered / size)


def momentum() -> Iterator[str]:
    """What the recursions of 2010.13165 do to one eigenmode after many steps."""
    x = 1e-4
    gd = float(loss_rate("gd", x, {}))
    yield f"gradient descent, rate/x                          {gd / x:.2f}"
    for b in (0.5, 1.0, 1.5, 3.0):
        momentum = 1 - b * x**0.5
        rate = float(loss_rate("heavy_ball", x, {"momentum": momentum}))
        yield f"heavy ball, b = {b:g}√λ0, rate/(−log μ)".ljust(50) + f"{rate / -np.log(momentum):.2f}"
    for beta1, beta2 in ((0.2, 0.5), (0.2, 0.8), (0.3, 0.8)):
        rate = float(loss_rate("higher_momentum", x, {"beta1": beta1, "beta2": beta2}))
        yield f"two momenta ({beta1}, {beta2}), rate/x".ljust(50) + f"{rate / x:.2f}"
    first, last = (float(step) for step in window(x))
    yield f"Nesterov's window at x = 1e-4, steps              {first:.0f} to {last:.0f}"
    maxima = np.pi / x**0.5 * np.arange(1, 10)
    maxima = maxima[(maxima >= 800) & (maxima <= 3000)]
    added = np.polyfit(np.log(maxima), maxima * np.log1p(-x), 1)[0]
    yield f"(1 − x)^k there, slope in log k, k from 800 to 3000 {added:.2f}"


def linear_nets_page() -> Iterator[str]:
    """Widths of Lemma 1 and Theorem 2, the published imbalances, and the drift of Λ against the step."""
    random, flat = (
        [
            linear_nets.problem(split.x_train.values, split.y_train.values)
            for split in (data.isel(split=number) for number in range(10))
        ]
        for data in (
            prepare(RECIPES[name], range(300, 310), ".") for name in ("linear_random", "linear_flat")
        )
    )
    yield f"width of Lemma 1, D = 400, m = 1, δ = 0.05        {linear_nets.lemma_width(400, 1, 0.05):.0f}"
    for alpha, name in ((0.5, "1/2"), (0.375, "3/8")):
        widths = [linear_nets.theorem_width(found, alpha, 0.05) for found in random]
        yield f"width of Theorem 2, α = {name}, X normal, 10 draws   {min(widths):.1e} to {max(widths):.1e}"
    widths = [linear_nets.theorem_width(found, 0.5, 0.05) for found in flat]
    yield f"the same, α = 1/2, all singular values of X 1     {max(widths):.0f}"
    typical = np.sqrt(101 * 300)
    overlap = linear_nets.most_overlap(400, 100, 1, 1.0, 0.5, 0.05)
    yield f"Lemma 1's bound on the overlap over its size      {overlap / typical:.1f}"
    for alpha, width in ((0.5, 9500), (0.5, 10**6), (0.375, 10**12)):
        bounds = [linear_nets.most_distance(found, width, alpha, 0.05) for found in random]
        ratio = np.mean(bounds) / (np.sqrt(300) * width ** (0.5 - 2 * alpha))
        yield (
            f"Theorem 2's bound over √((D − r)m)h^(½−2α), α = {alpha:g}, h = {width:.4g}".ljust(68)
            + f"{ratio:.0f}"
        )
    yield "c at h = 500, mean and standard deviation of 20 draws:"
    rng = stream(0, "checks")
    for pair in ((0.1, 0.1), (0.5, 0.02), (0.2, 0.05), (0.05, 0.2)):
        gaps = linear_nets.imbalance(linear_nets.drawn(rng, 20, 500, 1, 100, 300, pair)).gap
        yield f"    (σ_U, σ_V) = {pair}".ljust(50) + f"{gaps.mean():.1f} ± {gaps.std(ddof=1):.1f}"
    yield "η       drift of Λ on whitened digits, seeds 100 to 104, and log-log slope to the next"
    rates = np.array([0.4, 0.2, 0.1, 0.05, 0.025, 0.0125])
    drifts = np.array([_digits_drift(rates, seed) for seed in range(100, 105)]).mean(0)
    yield from _with_slopes(rates, drifts)


def _digits_drift(rates: Array, seed: int, width: int = 100, std: float = 0.3) -> list[float]:
    """Largest ‖Λ − Λ₀‖/‖Λ₀‖ on the way to a residual of 1e-3, for each learning rate."""
    data = prepare(RECIPES["digits_white"], [seed], ".").isel(split=0)
    found = linear_nets.problem(data.x_train.values, data.y_train.values)
    shapes = [(width, data.x_train.shape[1]), (data.y_train.shape[1], width)]
    first, second = (layer[0] for layer in gaussian(shapes, [std, std], seed))
    start = linear_nets.narrow(linear_nets.net(found, first.T, second))
    before, error = linear_nets.imbalance_matrix(start), np.linalg.norm(linear_nets.error(found, start))
    drifts = []
    for rate in rates:
        worst = 0.0
        for net in linear_nets.descend(found, start, rate / len(data.x_train), range(1, 100_000)):
            change = linear_nets.imbalance_matrix(net) - before
            worst = max(worst, float(np.linalg.norm(change) / np.linalg.norm(before)))
            if np.linalg.norm(linear_nets.error(found, net)) <= 1e-3 * error:
                break
        drifts.append(worst)
    return drifts


def adaptive() -> Iterator[str]:
    """AdaGrad in NumPy on random linear models, their flow by SciPy, and the flow from a displaced start."""
    models = [_random_model(seed) for seed in range(2)]
    limits = [flow_limit(inner, error) for inner, _, error in models]
    yield "η       AdaGrad to the flow's limit, log-log slope to the next; to that from u₀ = ζ(½)·η·sign(g₀)"
    rates, apart = (0.04, 0.02, 0.01, 0.005), []
    for rate in rates:
        gaps = np.zeros(2)
        for (inner, outer, error), limit in zip(models, limits, strict=True):
            end = adagrad(inner, error, rate)
            shifted = flow_limit(inner, error, zeta(0.5) * rate * np.sign(inner.T @ error))
            both = [np.linalg.norm(outer @ (end - u)) for u in (limit, shifted)]
            gaps += np.array(both) / np.linalg.norm(outer @ limit) / len(models)
        apart.append(gaps)
    slopes = [f"{slope:.3f}" for slope in np.diff(np.log(np.array(apart)[:, 0])) / np.diff(np.log(rates))]
    for rate, (gap, left), slope in zip(rates, apart, [*slopes, ""], strict=True):
        yield f"{rate:<8g}{gap:<10.4f}{slope:<43}{left:.4f}"
    yield ""
    yield "η       what that start moves the limit on digits, seeds 100 and 101, log-log slope to the next"
    rates = np.array([0.03, 0.01, 0.003, 0.001])
    moved = np.mean([_displaced_on_digits(rates, seed) for seed in (100, 101)], axis=0)
    yield from _with_slopes(rates, moved)
    yield ""
    yield "width   how far AdaGrad's first step moves f at η = 0.01, over ‖e₀‖, digits, seed 100"
    for width in (64, 256, 1024):
        here = _linearized_digits(100, width)
        moved = here.rows.times(0.01 * here.rows.transposed(here.error).sign())
        yield f"{width:<8}{float(moved.norm() / here.error.norm()):.2f}"


def _displaced_on_digits(rates: Array, seed: int, width: int = 64) -> Array:
    """How far a start displaced as AdaGrad's steps do moves the flow's limit, by our integrator; relative."""
    here = _linearized_digits(seed, width)
    limit = limit_of_flow(here, Rule()).test
    signs = here.rows.transposed(here.error).sign()
    starts = [here.start + here.all_rows.times(zeta(0.5) * rate * signs) for rate in rates]
    ends = [limit_of_flow(replace(here, start=start), Rule()).test for start in starts]
    return np.array([float((end - limit).norm() / limit.norm()) for end in ends])


def _linearized_digits(seed: int, width: int) -> Linearization:
    """A network of the study's blocks, linearized at its start."""
    data = prepare(RECIPES["digits_3_8"], [seed], ".").isel(split=0)
    ensemble, weights, x = _network(data, seed, width)
    f, tangent = jacobian(ensemble, weights, x)
    targets = torch.tensor(data.y_train.values)[None]
    kernel = tangent.first(targets.shape[1]).kernel()
    return Linearization(ensemble, weights, x, f, targets, kernel, growth=1.2)


def _random_model(seed: int, points: int = 6) -> tuple[Array, Array, Array]:
    """J of a small network at random training and test points, without dead parameters, and errors e₀."""
    ensemble, draw = Ensemble(MLP((5, 20, 1), "relu", "ntk")), stream(seed, "checks")
    layers = gaussian(ensemble.model.weight_shapes, ensemble.model.draw_stds, seed)
    x = torch.tensor(draw.standard_normal((1, points + 4, 5)))
    _, rows = jacobian(ensemble, [torch.tensor(layer)[None] for layer in layers], x)
    unit = torch.eye(x.shape[1], dtype=torch.float64)
    full = np.concatenate([rows.transposed(row[None, :, None]).numpy() for row in unit])
    full = full[:, np.abs(full[:points]).sum(0) > 0]
    return full[:points], full[points:], draw.standard_normal(points)


def adagrad(inner: Array, error: Array, rate: float, residual: float = 1e-4) -> Array:
    """Where AdaGrad at a step size takes u, from 0, for the loss ‖e₀ − Ju‖²/2; the rest under its last D."""
    u, squares = np.zeros(inner.shape[1]), np.zeros(inner.shape[1])
    while np.linalg.norm(left := error - inner @ u) > residual * np.linalg.norm(error):
        gradient = inner.T @ left
        squares += gradient**2
        u += rate * gradient / np.sqrt(squares)
    return _landed(inner, error, u, squares)


def flow_limit(inner: Array, error: Array, start: Array | float = 0.0, residual: float = 1e-6) -> Array:
    """Where du/ds = 2s·g/√S, dS/ds = 2s·g² takes u from a start, by SciPy."""
    parameters, early = inner.shape[1], 1e-4
    u = np.zeros(parameters) + start
    gradient = inner.T @ (error - inner @ u)

    def slope(s: float, state: Array) -> Array:
        g = inner.T @ (error - inner @ state[:parameters])
        return np.concatenate([2 * s * g / np.sqrt(state[parameters:]), 2 * s * g**2])

    def left(s: float, state: Array) -> float:
        return np.linalg.norm(error - inner @ state[:parameters]) - residual * np.linalg.norm(error)

    left.terminal = True
    state = np.concatenate([u + 2 * early * np.sign(gradient), (early * gradient) ** 2])
    done = solve_ivp(slope, (early, 1e3), state, "LSODA", rtol=1e-9, atol=1e-12, events=left).y[:, -1]
    return _landed(inner, error, done[:parameters], done[parameters:])


def _landed(inner: Array, error: Array, u: Array, squares: Array) -> Array:
    """u once the fixed D = 1/√S has taken the last of the error."""
    weights = 1 / np.sqrt(squares)
    dual = np.linalg.solve((inner * weights) @ inner.T, error - inner @ u)
    return u + weights * (inner.T @ dual)


def _with_slopes(x: Array, y: Array) -> Iterator[str]:
    """A line per point, with the slope to the next."""
    slopes = np.diff(np.log(y)) / np.diff(np.log(x))
    for i in range(len(x)):
        yield f"{x[i]:<8g}{y[i]:.5f}" + (f"  {slopes[i]:.3f}" if i < len(slopes) else "")


def _slope(x: Array, y: Array) -> float:
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def alignment() -> Iterator[str]:
    """What (28) of 2307.12851 asks for, where the stable rank goes, and how centred digits stand to it."""
    n, h, μ = 20, 50, 0.1
    log10 = np.log10(0.5 / np.sqrt(h)) - 64 * n * np.log(n) / np.sqrt(μ) / np.log(10)
    yield f"ε of (28) at n = {n}, h = {h}, μ = {μ}, even with ζ = ξ = 1    10^{log10:.0f}"
    yield f"there Lemma 1 holds, at ε = 1e-6, until t =          {np.log(1e6 / np.sqrt(h)) / (4 * n):.2f}"
    for μ in (0.5, 0.1, 0.01):
        c = n / 2 * μ / (1 + (n / 2 - 1) * μ)
        yield f"2/(1 + |c|) of two classes of ten points, μ = {μ:<4}    {2 / (1 + c):.3f}"
    yield "centred digits, 100 points, seeds 0 to 9"
    for a, b in ((0, 1), (3, 8), (1, 7)):
        data = prepare(RECIPES["digit_pairs"] | {"classes": [a, b]}, range(10), ".")
        signed, y = data.x_train.values * data.y_train.values, data.y_train.values[..., 0]
        inside = [(x @ x.T)[np.triu_indices(len(x), 1)] > 0 for x in signed]
        sums = [(x[own > 0].sum(0), x[own < 0].sum(0)) for x, own in zip(data.x_train.values, y, strict=True)]
        cosines = [p @ m / np.linalg.norm(p) / np.linalg.norm(m) for p, m in sums]
        seen = [(x @ p > 0) == (own > 0) for x, own, (p, _) in zip(data.x_train.values, y, sums, strict=True)]
        right = f"{sum(map(all, seen))} of {len(seen)}"
        yield f"    {a} and {b}: cos(x₊, x₋)                              {np.mean(cosines):.3f}"
        yield f"        pairs of points y x with a positive cosine        {np.mean(inside):.0%}"
        yield f"        points on their side of x₊                        {np.mean(seen):.1%}"
        yield f"        seeds in which all are, so that x₊ is in S₊       {right}"


def shown(page: Path) -> str | None:
    """The block that a page shows."""
    found = BLOCK.search(page.read_text(encoding="utf-8"))
    return found and found[1]


BLOCK = re.compile(r"(?<=<!-- checks -->\n```text\n)(.*?\n)(?=```)", re.DOTALL)
PAGES = {
    Path(__file__).with_name("statistics.md"): statistics,
    STUDIES / "init_size" / "page.md": init_size,
    STUDIES / "adaptive" / "page.md": adaptive,
    STUDIES / "linear_nets" / "page.md": linear_nets_page,
    STUDIES / "finite_steps" / "page.md": finite_steps,
    STUDIES / "momentum" / "page.md": momentum,
    STUDIES / "networks" / "page.md": networks,
    STUDIES / "alignment" / "page.md": alignment,
}

if __name__ == "__main__":
    for page, function in PAGES.items():
        text = "".join(f"{line}\n" for line in function())
        print(text, end="")
        if sys.argv[1:] == ["--write"]:
            page.write_text(BLOCK.sub(text, page.read_text(encoding="utf-8")), encoding="utf-8")
