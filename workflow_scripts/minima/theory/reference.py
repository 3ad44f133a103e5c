"""Kernel regression references: NTK, NNGP, RBF and linear, ridge and ridgeless.

Ridge: dual coefficients (K + αI)⁻¹y, as in scikit-learn's KernelRidge. Ridgeless (α = 0): K⁺y. Both by the
ladder of `minima.theory.solve`, which says what it took. Ridgeless NTK regression is what gradient flow on an
infinitely wide network that starts at f₀ = 0 converges to (Jacot et al. 2018; Arora et al. 2019).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minima.theory.solve import Solution, solve

Array = NDArray[np.float64]

RIDGE = "ridge"  # solver_ of a fit with alpha > 0


KINDS = sorted(path.stem for path in Path(__file__).with_name("references").glob("[a-z]*.py"))


@dataclass(frozen=True)
class Reference:
    """One fitted reference: its hyperparameters, its predictions, and how it was solved.

    train (n, …) and test (t, …) are shaped as y; gamma is None but for RBF; solver, jitter and rank are
    those of `NTKRegressor`.
    """

    kind: str
    alpha: float
    gamma: float | None
    train: Array
    test: Array
    solver: str
    jitter: float
    rank: int


def fit_references(
    kind: str,
    x_train: ArrayLike,
    y_train: ArrayLike,
    x_test: ArrayLike,
    alphas: Iterable[float] = (0.0,),
    *,
    gammas: Iterable[float] | None = None,
    network: Sequence[Any] = (),
) -> list[Reference]:
    """`fit_references` fits kernel regression of one kind, a module of `minima.theory.references`, for every
    ridge.

    x_train (n, d), x_test (t, d), y_train (n,) or (n, outputs). `network` are the arguments of
    `minima.theory.kernels`: depth, activation, weight_std, bias_std. RBF ignores the network and is fitted
    for every gamma of exp(−gamma ‖x−y‖²), default 1/d; the result runs over alphas fastest.
    """
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r} is not one of {', '.join(KINDS)}")
    x_train, y_train, x_test = (np.asarray(array, dtype=np.float64) for array in (x_train, y_train, x_test))
    alphas, own = list(alphas), import_module(f"minima.theory.references.{kind}")
    if getattr(own, "WITH_GAMMA", False):
        choices = [(gamma, (gamma,)) for gamma in ([1 / x_train.shape[1]] if gammas is None else gammas)]
    elif gammas is None:
        choices = [(None, tuple(network))]
    else:
        raise ValueError(f"gammas belong to rbf, not to {kind}")
    found = []
    for gamma, given in choices:
        within, across = own.kernel(x_train, None, *given), own.kernel(x_test, x_train, *given)
        found += [_reference(kind, alpha, gamma, within, across, y_train) for alpha in alphas]
    return found


def _reference(
    kind: str, alpha: float, gamma: float | None, within: Array, across: Array, y_train: Array
) -> Reference:
    dual = dual_coefficients(within, y_train, alpha)
    return Reference(
        kind, alpha, gamma, within @ dual.x, across @ dual.x, dual.solver, dual.jitter, dual.rank
    )


def dual_coefficients(kernel: Array, y: Array, alpha: float) -> Solution:
    """`dual_coefficients` returns (K + αI)⁻¹y for K (n, n) and y (n,) or (n, outputs)."""
    if not alpha >= 0 or np.isinf(alpha):
        raise ValueError(f"alpha is {alpha!r}, need a finite number, at least 0")
    if alpha == 0:
        return solve(kernel, y)
    return replace(solve(kernel + alpha * np.eye(len(kernel)), y), solver=RIDGE)
