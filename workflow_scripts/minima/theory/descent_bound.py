"""Gradient descent at finite steps on two-layer linear networks: bounds on the loss, and the steps that the
bounds allow (Xu, Min, Tarmoun, Mallada and Vidal, AISTATS 2023).

    L = ½‖Y − X W1 W2‖²,   L* = 0,   W = W1 W2,   E = Y − XW,   G = XᵀE
    D = W1ᵀW1 − W2W2ᵀ,   τ(M) = M W2ᵀW2 + W1W1ᵀ M,   K = σ²max(X),   μ = σ²min(X),   κ = K/μ

in the coordinates of X (`minima.theory.linear_nets`: W1 = U1, W2 = Vᵀ, D = Λ), of n = r inputs and m outputs:

    p1 = [σmin(Y) − ‖E0‖]₊/σmax(X),   p2 = (‖Y‖ + ‖E0‖)/σmin(X)
    α0 = ½(−Δ₊ + √((Δ₊ + c)² + 4p1²)) + ½(−Δ₋ + √((Δ₋ + c)² + 4p1²))
    β0 = ½(λ₊ + √(λ₊² + 4p2²)) + ½(λ₋ + √(λ₋² + 4p2²)),   λ± = [λ1(±D0)]₊
    Theorem 3.1   η ≤ ηmax: c1 α0 ≤ λmin(τ) ≤ λmax(τ) ≤ c2 β0 and p1 ≤ σmin(W) ≤ σmax(W) ≤ p2 at all steps
    Theorem 3.2   then L(t+1) ≤ f(η, L(t)) L(t)
    Algorithm 1   η_t = min(η′_t, ηmax), η′_t the step at which f(η, L(t)) is least

c, Δ₊ and Δ₋ are those of `minima.theory.linear_nets`. The proof has σ_m(W) ≥ p1 in the first summand of α0
and σ_n(W) ≥ p1 in the second. Where n ≠ m, the one that is beyond the rank of W is 0: `covered` is α0 with
p1 in the other summand alone.

Steps η are those of L: the training loss L/N takes them at the learning rate Nη.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from minima.engine.decay_bound import DecayBound, positive_root
from minima.theory.linear_nets import Net, Problem, error, imbalance, least_rate

Array = NDArray[np.float64]
ARORA = 6144 * 8  # of (130), for two layers
DU = 100  # of (129)


class Constants(NamedTuple):
    """`Constants` holds what the bounds know of networks [...] at their start."""

    least_product: Array  # p1
    most_product: Array  # p2
    alpha: Array  # α0 as printed
    covered: Array  # α0 as far as the proof covers it
    beta: Array  # β0
    mu: float  # μ
    largest: float  # K
    loss: Array  # L0
    norm: float  # ‖Y‖

    @property
    def condition(self) -> float:
        """κ."""
        return self.largest / self.mu


def constants(problem: Problem, net: Net) -> Constants:
    """`constants` returns the constants of Table 2, of networks [...] taken as starts."""
    outputs, inputs = net.v.shape[-2], net.u1.shape[-2]
    here = imbalance(net)
    off = np.linalg.norm(error(problem, net), axis=(-2, -1))
    norm = float(np.linalg.norm(problem.targets))
    least = np.linalg.svd(problem.targets, compute_uv=False)[-1]
    p1 = np.maximum(least - off, 0) / problem.roots[0]
    p2 = (norm + off) / problem.roots[-1]
    beta = here.most + np.hypot(here.most, 2 * p2) + here.most_negative + np.hypot(here.most_negative, 2 * p2)
    alpha = least_rate(here, p1, p1) / 2
    covered = least_rate(here, p1 if outputs <= inputs else 0 * p1, p1 if inputs <= outputs else 0 * p1) / 2
    mu, largest = float(problem.roots[-1] ** 2), float(problem.roots[0] ** 2)
    return Constants(p1, p2, alpha, covered, beta / 2, mu, largest, off**2 / 2, norm)


def decay(start: Constants, c1: float, c2: float) -> DecayBound:
    """`decay` returns f of (26) and (27), 0 < c1 < 1 < c2."""
    p2, mu, condition = start.most_product, start.mu, start.condition
    beta = c2 * start.beta
    return DecayBound(
        2 * c1 * start.alpha * mu,
        condition * mu**2 * beta**2,
        2 * p2 * np.sqrt(2 * condition * mu**3),
        2 * beta * p2 * np.sqrt(2 * condition**3 * mu**5),
        2 * condition**2 * mu**3 * p2**2,
    )


def largest_rate(start: Constants, c1: float, c2: float) -> Array:
    """`largest_rate` returns ηmax [...] of (29), up to which Theorems 3.1 and 3.2 hold: 0 where α0 is 0."""
    bound, root = decay(start, c1, c2), np.sqrt(start.loss)
    held = start.loss * start.largest * 4 * c2
    with np.errstate(divide="ignore", invalid="ignore"):
        more = np.maximum(held / (c2 - 1), 2 * start.beta * held / ((1 - c1) * start.alpha))
        found = positive_root(
            bound.fourth_of_loss * start.loss,
            bound.cube_of_root * root,
            bound.square + bound.square_of_root * root + more,
            bound.fall,
        )
    return np.where(start.alpha > 0, found, 0.0)


def first_rate(start: Constants, c1: float, c2: float) -> Array:
    """`first_rate` returns η_0 [...] of Algorithm 1."""
    return next_rate(start, start.loss, c1, c2)


def next_rate(start: Constants, loss: Array, c1: float, c2: float) -> Array:
    """`next_rate` returns η_t [...] of Algorithm 1 at the loss L(t): 0 where α0 is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        best = decay(start, c1, c2).best_rate(loss)
    return np.where(start.alpha > 0, np.minimum(best, largest_rate(start, c1, c2)), 0.0)


def pessimistic_rate(start: Constants) -> Array:
    """`pessimistic_rate` returns the largest η [...] of Arora, Golowich, Cohen and Hu's theorem: (130)."""
    return start.least_product**3 / (ARORA * start.norm**4)


def inverse_norm_rate(start: Constants) -> float:
    """`inverse_norm_rate` returns the first of Du, Hu and Lee's steps, η_t = η_0/(t + 1), at most: (129)."""
    return 1 / (DU * start.norm)
