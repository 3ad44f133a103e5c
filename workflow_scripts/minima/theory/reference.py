"""Kernel regression references: NTK, NNGP and RBF, ridge and ridgeless, as estimators and arrays.

Ridge: dual coefficients (K + αI)⁻¹y by scikit-learn's KernelRidge. Ridgeless (α = 0): K⁺y by the ladder of
`minima.theory.solve`, which says what it took. Ridgeless NTK regression is what gradient flow on an
infinitely wide network that starts at f₀ = 0 converges to (Jacot et al. 2018; Arora et al. 2019).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.kernel_ridge import KernelRidge
from sklearn.utils.validation import check_is_fitted, validate_data

from minima.theory import kernels
from minima.theory.solve import Solution, solve

Array = NDArray[np.float64]

RIDGE = "ridge"  # solver_ of a fit with alpha > 0


class _NetworkKernelRegressor(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Kernel regression with the kernel of an infinitely wide fully connected network.

    Parameters
    ----------
    depth, activation, weight_std, bias_std
        As in `minima.theory.kernels`. Inputs are used as given; the kernel itself divides by √d.
    alpha : float
        Ridge, in the kernel's own units. 0 interpolates.

    Attributes
    ----------
    dual_coef_ : array (n,) or (n, outputs)
    X_fit_ : array (n, d)
    solver_ : "ridge", "cholesky" or "eigh"
    jitter_ : float, what was added to the kernel's diagonal to solve; 0 where nothing was
    rank_ : int, eigenvalues kept
    n_features_in_ : int
    """

    _kernel: ClassVar[Callable[..., Array]]

    def __init__(
        self,
        *,
        depth: int = 2,
        activation: str = "relu",
        weight_std: float = 1.0,
        bias_std: float = 0.0,
        alpha: float = 0.0,
    ) -> None:
        self.depth = depth
        self.activation = activation
        self.weight_std = weight_std
        self.bias_std = bias_std
        self.alpha = alpha

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fit on X (n, d) and y (n,) or (n, outputs)."""
        X, y = validate_data(self, X, y, multi_output=True, y_numeric=True, dtype=np.float64)
        solution = _dual_coefficients(self._kernel_of(X), y, self.alpha)
        self.X_fit_ = X
        self.dual_coef_ = solution.x
        self.solver_ = solution.solver
        self.jitter_ = solution.jitter
        self.rank_ = solution.rank
        return self

    def predict(self, X: ArrayLike) -> Array:
        """Predictions for X (t, d): shape (t,) or (t, outputs)."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float64)
        return self._kernel_of(X, self.X_fit_) @ self.dual_coef_

    def _kernel_of(self, x1: Array, x2: Array | None = None) -> Array:
        return self._kernel(x1, x2, self.depth, self.activation, self.weight_std, self.bias_std)


class NTKRegressor(_NetworkKernelRegressor):
    __doc__ = _NetworkKernelRegressor.__doc__.replace("the kernel of", "the neural tangent kernel of", 1)
    _kernel = staticmethod(kernels.ntk)


class NNGPRegressor(_NetworkKernelRegressor):
    __doc__ = _NetworkKernelRegressor.__doc__.replace("the kernel of", "the NNGP kernel of", 1)
    _kernel = staticmethod(kernels.nngp)


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
    dual = _dual_coefficients(within, y_train, alpha)
    return Reference(
        kind, alpha, gamma, within @ dual.x, across @ dual.x, dual.solver, dual.jitter, dual.rank
    )


def _dual_coefficients(kernel: Array, y: Array, alpha: float) -> Solution:
    """(K + αI)⁻¹y for K (n, n) and y (n,) or (n, outputs)."""
    if not alpha >= 0 or np.isinf(alpha):
        raise ValueError(f"alpha is {alpha!r}, need a finite number, at least 0")
    if alpha == 0:
        return solve(kernel, y)
    ridge = KernelRidge(alpha=alpha, kernel="precomputed").fit(kernel, y)
    return Solution(ridge.dual_coef_, RIDGE, 0.0, len(kernel))
