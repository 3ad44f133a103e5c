"""Linearized networks of greatest margin: the directions in which descent on a loss of margins
goes on: cross-entropy, logistic, exponential.

These losses have no minimizer at finite distance: u = θ − θ₀ grows without end, and u/‖u‖ tends to the
direction of greatest margin. A margin is linear in u, here Cf for f = Ju, with C = y for one output and
e_y − e_k for each wrong class k of several; f₀ does not grow and drops out. Under gradient descent, also by
mini-batches and with momentum, that is the direction of greatest margin in ℓ2, the solution of

    min ‖u‖₂ with CJu ≥ 1,   u = JᵀCᵀβ,   β ≥ 0,   w = CΘCᵀβ − 1 ≥ 0,   βᵀw = 0,

and under sign-like methods such as Adam in ℓ∞. The approach is slow, as one over the logarithm of the time.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linprog
from torch import Tensor

from minima.engine.margins import combinations
from minima.theory.losses import Goal
from minima.theory.solve import solve

Array = NDArray[np.float64]
BLOCKS = 10  # exchanges of whole blocks without progress, before one at a time
MOST = 300  # exchanges
ROUNDING = 1e-10
SHORT = 1e-6  # of a margin of 1: a singular kernel was solved as nearly as it can be
DOUBLINGS = 200
BISECTIONS = 100


def least_norm(kernel: Tensor, targets: Tensor) -> Tensor:
    """`least_norm` returns α = Cᵀβ [E, n, o] of the shortest u = Jᵀα in ℓ2 with all margins ≥ 1, from Θ
    [E, n·o, n·o] and y [E, n, o]; NaN where no u has them."""
    c = combinations(targets)
    found = []
    for network, own in enumerate(c):
        rows = torch.block_diag(*own)  # [n·m, n·o]
        beta = least_dual((rows @ kernel[network] @ rows.T).cpu().numpy())
        found.append(rows.T @ torch.as_tensor(beta).to(rows))
    return torch.stack(found).view_as(targets)


def least_dual(kernel: Array) -> Array:
    """`least_dual` returns β [m] ≥ 0 with w = Kβ − 1 ≥ 0 and βᵀw = 0; NaN where there is none.

    Block principal pivoting (Júdice and Pires 1994): of a guess which β are above 0, those that come out
    below 0 and those whose w do change sides, all at once, and the last one alone where that is no progress.
    """
    size = len(kernel)
    inside, fewest, patience = np.ones(size, bool), size + 1, BLOCKS
    scale = np.abs(kernel).max()
    for _ in range(MOST):
        beta = np.zeros(size)
        if inside.any():
            beta[inside] = solve(kernel[np.ix_(inside, inside)], np.ones(inside.sum())).x
        slack = kernel @ beta - 1
        most = np.abs(beta).max()
        wrong = np.where(inside, beta < -ROUNDING * most, slack < -ROUNDING * max(1, scale * most))
        if not wrong.any():
            return beta.clip(min=0) if (slack > -SHORT).all() else np.full(size, np.nan)
        if wrong.sum() < fewest:
            fewest, patience = wrong.sum(), BLOCKS
        elif patience:
            patience -= 1
        else:
            wrong[: wrong.nonzero()[0][-1]] = False
        inside ^= wrong
    return np.full(size, np.nan)


def least_maximum(rows: Tensor, targets: Tensor) -> Tensor:
    """`least_maximum` returns u [E, p], the least in ℓ∞ with all margins ≥ 1, from J [E, n·o, p] and y
    [E, n, o], as a linear program by HiGHS; NaN where no u has them. Where several are as small, it is one of
    them."""
    found = []
    for own, one in zip(combinations(targets), rows, strict=True):
        margins = (torch.block_diag(*own) @ one).cpu().numpy()
        reached = np.abs(margins).max(0) > 0
        found.append(np.zeros(rows.shape[2]))
        found[-1][reached] = _least_maximum(margins[:, reached])
    return torch.as_tensor(np.stack(found)).to(rows)


def _least_maximum(margins: Array) -> Array:
    """The greatest margin γ with |u| ≤ 1, then scaled to 1."""
    rows, columns = margins.shape
    bounds = np.tile([-1.0, 1.0], (columns + 1, 1))
    bounds[-1] = 0, np.inf
    cost = np.zeros(columns + 1)
    cost[-1] = -1
    found = linprog(
        cost, np.column_stack([-margins, np.ones(rows)]), np.zeros(rows), bounds=bounds, method="highs"
    )
    least = found.x[-1] if found.status == 0 else 0.0
    return found.x[:-1] / least if least > 0 else np.full(columns, np.nan)


def scale_to(goal: Goal, start: Tensor, direction: Tensor) -> tuple[Tensor, Tensor]:
    """`scale_to` returns the least s [E] for which f₀ + s·g meets the goal, of f₀ and g [E, n, o], and who
    does [E]."""
    low, high = torch.zeros_like(goal.loss), torch.ones_like(goal.loss)

    def met(scale: Tensor) -> Tensor:
        return goal.met(start + scale[:, None, None] * direction)

    for _ in range(DOUBLINGS):
        there = met(high)
        if (there | direction.isnan().any((1, 2))).all():
            break
        low, high = torch.where(there, low, high), torch.where(there, high, 2 * high)
    reached = met(high)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        there = met(middle)
        low, high = torch.where(there, low, middle), torch.where(there, middle, high)
    return high, reached
