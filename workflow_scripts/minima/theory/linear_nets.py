"""Two-layer linear networks: where gradient flow takes them, whatever their width (arXiv:2105.06351).

    f(x) = V Uᵀ x,   U [D, h], V [m, h],   L = ½‖Y − X U Vᵀ‖²,   X [n, D] of rank r,   Y [n, m]

In the coordinates of X = W Σx^{½} Φ1ᵀ, with U1 = Φ1ᵀU, U2 = Φ2ᵀU and Φ2 a basis of what X does not see,

    E = WᵀY − Σx^{½} U1 Vᵀ,   L − L* = ½‖E‖²
    V̇ = Eᵀ Σx^{½} U1,   U̇1 = Σx^{½} E V,   U̇2 = 0

so that the imbalance Λ = U1ᵀU1 − VᵀV stays as it was, and so does U2. With c = [λ_r(Λ)]₊ + [λ_m(−Λ)]₊:

    Theorem 1       L(t) − L* ≤ exp(−2 λ_r(Σx) c t) (L(0) − L*)
    the limit       U Vᵀ(∞) = Θ̂ + Φ2 U2(0) V(∞)ᵀ,   Θ̂ = X⁺Y
    Proposition 1   V U2ᵀ = 0 and U1 U2ᵀ = 0 at the start: the limit is Θ̂
    Lemma 1         entries N(0, h^{−2α}), ¼ < α ≤ ½, h > 16 s², s = √(m+D) + ½ log(2/δ): with
                    probability 1 − δ,  c > h^{1−2α}  and  ‖[V; U1] U2ᵀ‖_F ≤ 2 √(m+r) s / h^{2α−½}
    Theorem 2       h > h0^{1/(4α−1)}, h0 = max{16 s², 4 m s² λ1(Σx)/λ_r(Σx)³} (appendix E): with
                    probability 1 − δ,  ‖U Vᵀ(∞) − Θ̂‖₂ ≤ 2 C^{1/h^{1−2α}} √(m+r) s / h^{2α−½},
                    C = exp(1 + λ1^{½}(Σx) ‖Y‖_F / λ_r(Σx))
    Proposition 1′  (of a later version)  −L̇/(L − L*) ≥ λ_r(Σx) (−Δ₊ + √((Δ₊ + c)² + 4σ_m²(U1Vᵀ))
                                                                 −Δ₋ + √((Δ₋ + c)² + 4σ_r²(U1Vᵀ)))
                    Δ₊ = [λ1(Λ)]₊ − [λ_r(Λ)]₊,   Δ₋ = [λ1(−Λ)]₊ − [λ_m(−Λ)]₊

All that moves lies in the span of the m + r rows of Z = [V; U1]: with Zᵀ = QR, Q [h, m+r], the network of
width m + r with V Q and QᵀUᵀ takes the same path (`narrow`). For normal weights Rᵀ is a lower triangle of
independent normals and χ's (Bartlett's decomposition): any width is drawn at that size (`drawn`).

Arrays may have leading dimensions, of networks. Times are those of L above: the training loss ‖y − f‖²/2n at
learning rate η takes a step of η/n.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from minima.engine.linear_draws import triangle

Array = NDArray[np.float64]


class Problem(NamedTuple):
    """`Problem` holds the data in the coordinates of X."""

    roots: Array  # Σx^{½} [r], descending
    targets: Array  # WᵀY [r, m]
    rows: Array  # Φ1 [D, r]
    least_loss: float  # L*

    @property
    def minimum(self) -> Array:
        """Φ1ᵀΘ̂ [r, m]: Φ2ᵀΘ̂ is 0."""
        return self.targets / self.roots[:, None]


class Net(NamedTuple):
    """`Net` is a network in these coordinates; the rows of u2 may be in any basis of what X does not see."""

    v: Array  # V [..., m, k]
    u1: Array  # U1 [..., r, k]
    u2: Array  # U2 [..., D − r or fewer, k]


class Slack(NamedTuple):
    """`Slack` holds how far drawn networks [α, draw] stay from the bounds of Lemma 1 and Theorem 2: a bound
    holds where the first number is above 1, or the others are 1 or less."""

    gap_slack: Array  # c over its least
    overlap_slack: Array  # ‖[V; U1] U2ᵀ‖_F over its most
    limit_slack: Array  # a bound on ‖UVᵀ(∞) − Θ̂‖ from the start alone, over Theorem 2's


class Imbalance(NamedTuple):
    """`Imbalance` holds the eigenvalues of Λ that the bounds ask for, each [...]."""

    most: Array  # [λ1(Λ)]₊
    least: Array  # [λ_r(Λ)]₊
    most_negative: Array  # [λ1(−Λ)]₊
    least_negative: Array  # [λ_m(−Λ)]₊

    @property
    def gap(self) -> Array:
        """c."""
        return self.least + self.least_negative


def problem(x: Array, y: Array) -> Problem:
    """The coordinates of points x [n, D] and targets y [n, m]; rank as in numpy.linalg.matrix_rank."""
    w, roots, rows = np.linalg.svd(x, full_matrices=False)
    rank = int((roots > roots[0] * max(x.shape) * np.finfo(np.float64).eps).sum())
    targets = w[:, :rank].T @ y
    unreachable = y - w[:, :rank] @ targets
    return Problem(roots[:rank], targets, rows[:rank].T, float((unreachable**2).sum() / 2))


def net(problem: Problem, u: Array, v: Array) -> Net:
    """A network U [..., D, h], V [..., m, h] in the coordinates of the data, with its width."""
    seen = problem.rows.T @ u
    return Net(v, seen, u - problem.rows @ seen)


def narrow(wide: Net) -> Net:
    """The network of width m + r that takes the same path; one that is no wider is left as it is."""
    z = np.concatenate([wide.v, wide.u1], axis=-2)
    if z.shape[-1] <= z.shape[-2]:
        return wide
    q = np.linalg.qr(z.mT).Q
    return Net(wide.v @ q, wide.u1 @ q, wide.u2 @ q)


def drawn(
    rng: np.random.Generator, count: int, width: int, m: int, r: int, unseen: int, stds: Sequence[float]
) -> Net:
    """`count` networks of the given width with entries N(0, stds²) of U and V, drawn narrow by Bartlett's
    decomposition: the law of `narrow` of such networks, up to a rotation. `unseen` = D − r."""
    rows = m + r
    z = triangle(rng, count, width, rows)
    u2 = rng.standard_normal((count, unseen, rows))
    return Net(stds[1] * z[:, :m], stds[0] * z[:, m:], stds[0] * u2)


def product(net: Net) -> tuple[Array, Array]:
    """U1Vᵀ [..., r, m] and U2Vᵀ [..., D − r, m]: what the network computes, and what X does not see of it."""
    return net.u1 @ net.v.mT, net.u2 @ net.v.mT


def excess_loss(problem: Problem, net: Net) -> Array:
    """L − L* [...]."""
    return (error(problem, net) ** 2).sum((-2, -1)) / 2


def error(problem: Problem, net: Net) -> Array:
    """E [..., r, m]."""
    return problem.targets - problem.roots[:, None] * (net.u1 @ net.v.mT)


def overlap(net: Net) -> Array:
    """‖[V; U1] U2ᵀ‖_F [...], 0 where Proposition 1 holds."""
    z = np.concatenate([net.v, net.u1], axis=-2)
    return np.sqrt(((z @ net.u2.mT) ** 2).sum((-2, -1)))


def imbalance_matrix(net: Net) -> Array:
    """Λ [..., k, k]; that of a wide network has more zeros among its eigenvalues."""
    return net.u1.mT @ net.u1 - net.v.mT @ net.v


def imbalance(net: Net) -> Imbalance:
    """λ1 and λ_r of Λ, λ1 and λ_m of −Λ, each 0 where it is negative."""
    ascending = np.linalg.eigvalsh(imbalance_matrix(net))
    r, m = net.u1.shape[-2], net.v.shape[-2]

    def largest(values: Array, number: int) -> Array:
        """`largest` returns the value at this rank from the top; 0 where there are fewer values."""
        if number > values.shape[-1]:
            return np.zeros(values.shape[:-1])
        return np.maximum(values[..., -number], 0)

    descending = -ascending[..., ::-1]
    return Imbalance(
        largest(ascending, 1), largest(ascending, r), largest(descending, 1), largest(descending, m)
    )


def rate(problem: Problem, imbalance: Imbalance) -> Array:
    """Theorem 1: 2 λ_r(Σx) c [...], a lower bound on −L̇/(L − L*) at all times."""
    return 2 * problem.roots[-1] ** 2 * imbalance.gap


def rate_now(problem: Problem, imbalance: Imbalance, net: Net) -> Array:
    """Proposition 1′ [...]: a lower bound on −L̇/(L − L*) here, with the net's imbalance here: gradient flow
    keeps that of the start, gradient descent does not quite."""
    product = net.u1 @ net.v.mT
    r, m = product.shape[-2:]
    singular = np.linalg.svd(product, compute_uv=False)
    none = np.zeros(singular.shape[:-1])
    sigma_m = singular[..., m - 1] if m <= r else none
    sigma_r = singular[..., r - 1] if r <= m else none
    return problem.roots[-1] ** 2 * least_rate(imbalance, sigma_m, sigma_r)


def least_rate(imbalance: Imbalance, sigma_m: Array, sigma_r: Array) -> Array:
    """−Δ₊ + √((Δ₊ + c)² + 4σ_m²) − Δ₋ + √((Δ₋ + c)² + 4σ_r²) [...], a lower bound on twice the least
    eigenvalue of M ↦ M VᵀV + U1U1ᵀM by the singular values of U1Vᵀ."""
    above = imbalance.most - imbalance.least
    below = imbalance.most_negative - imbalance.least_negative
    return (
        np.hypot(above + imbalance.gap, 2 * sigma_m)
        - above
        + np.hypot(below + imbalance.gap, 2 * sigma_r)
        - below
    )


def descend(problem: Problem, start: Net, rate: float, record: Sequence[int]) -> Iterator[Net]:
    """Gradient descent on L with steps η = `rate`: the network [...] after each of the recorded steps."""
    here = start
    for before, after in pairwise([0, *record]):
        for _ in range(after - before):
            force = problem.roots[:, None] * error(problem, here)
            here = Net(here.v + rate * force.mT @ here.u1, here.u1 + rate * force @ here.v, here.u2)
        yield here


def _spread(features: int, outputs: int, delta: float) -> float:
    """s of Lemma 1."""
    return np.sqrt(outputs + features) + np.log(2 / delta) / 2


def lemma_width(features: int, outputs: int, delta: float) -> float:
    """`lemma_width` returns 16 s², the width above which Lemma 1 holds with probability 1 − δ, whatever α,
    for D features and m outputs."""
    return 16 * _spread(features, outputs, delta) ** 2


def theorem_width(problem: Problem, alpha: float, delta: float) -> float:
    """`theorem_width` returns h0^{1/(4α−1)}, the width above which Theorem 2 holds with probability 1 − δ.

    Lemma 1 asks for less: h0 grows with λ1(Σx)/λ_r(Σx)³, which the lemma does not have, and at α = ⅜ the
    exponent is 2.
    """
    features, outputs = problem.rows.shape[0], problem.targets.shape[1]
    first, last = problem.roots[0] ** 2, problem.roots[-1] ** 2
    conditioned = 4 * outputs * _spread(features, outputs, delta) ** 2 * first / last**3
    return float(max(lemma_width(features, outputs, delta), conditioned) ** (1 / (4 * alpha - 1)))


def least_gap(width: float, alpha: float) -> float:
    """`least_gap` returns h^{1−2α}, above which c is by Lemma 1."""
    return width ** (1 - 2 * alpha)


def most_overlap(features: int, rank: int, outputs: int, width: float, alpha: float, delta: float) -> float:
    """`most_overlap` returns the bound of Lemma 1 on ‖[V; U1] U2ᵀ‖_F."""
    return 2 * np.sqrt(outputs + rank) * _spread(features, outputs, delta) / width ** (2 * alpha - 0.5)


def most_distance(problem: Problem, width: float, alpha: float, delta: float) -> float:
    """`most_distance` returns the bound of Theorem 2 on ‖UVᵀ(∞) − Θ̂‖₂, with ‖WᵀY‖ for ‖Y‖: what X cannot
    reach moves nothing."""
    features, rank = problem.rows.shape
    outputs = problem.targets.shape[1]
    first, last = problem.roots[0], problem.roots[-1] ** 2
    exponent = 1 + first * np.linalg.norm(problem.targets) / last
    overlap = most_overlap(features, rank, outputs, width, alpha, delta)
    return float(np.exp(exponent / width ** (1 - 2 * alpha)) * overlap)


def most_distance_from(problem: Problem, start: Net) -> Array:
    """`most_distance_from` returns the bound on ‖UVᵀ(∞) − Θ̂‖_F = ‖U2V(∞)ᵀ‖_F [...] that a start alone gives,
    by which Theorem 2 is shown.

    Z(∞) = TZ with ‖T‖ ≤ exp ∫‖A‖dt of Ż = AZ, ‖A‖ ≤ λ1^{½}‖E‖; ‖E‖ falls by Theorem 1.
    """
    return _most_growth(problem, start, imbalance(start).gap) * overlap(start)


def _most_growth(problem: Problem, start: Net, gap: Array) -> Array:
    """`_most_growth` returns the bound on ‖T‖ [...] for networks whose c is `gap`."""
    force = problem.roots[0] * np.sqrt(2 * excess_loss(problem, start))
    return np.exp(force / (problem.roots[-1] ** 2 * gap))


def slack(
    problem: Problem, rng: np.random.Generator, count: int, width: int, alphas: Sequence[float], delta: float
) -> Slack:
    """`slack` returns how far `count` networks with entries N(0, h^{−2α}) stay from the bounds, for each α.

    All α share their draws, as c and ‖[V; U1] U2ᵀ‖ are in proportion to the variance of the entries.
    """
    features, rank = problem.rows.shape
    outputs = problem.targets.shape[1]
    stds = [width**-alpha for alpha in alphas]
    least = [least_gap(width, alpha) for alpha in alphas]
    overlaps = [most_overlap(features, rank, outputs, width, alpha, delta) for alpha in alphas]
    limits = [most_distance(problem, width, alpha, delta) for alpha in alphas]
    found = np.empty((3, len(alphas), count))
    for draw in range(count):  # one by one: they stay near the core
        unit = drawn(rng, 1, width, outputs, rank, features - rank, (1, 1))
        gap, crossed = imbalance(unit).gap[0], overlap(unit)[0]
        for i, std in enumerate(stds):
            start = Net(*(std * part for part in unit))
            own = _most_growth(problem, start, std**2 * gap)[0] * std**2 * crossed
            found[:, i, draw] = std**2 * gap / least[i], std**2 * crossed / overlaps[i], own / limits[i]
    return Slack(*found)
