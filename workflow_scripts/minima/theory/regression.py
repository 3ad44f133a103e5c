"""Kernel regression as a scikit-learn estimator; `minima.theory.estimators` has it with networks' kernels.

Ridge: dual coefficients (K + αI)⁻¹y, as in scikit-learn's KernelRidge. Ridgeless (α = 0): K⁺y. Both by the
ladder of `minima.theory.solve`, which says what it took. Ridgeless NTK regression is what gradient flow on an
infinitely wide network that starts at f₀ = 0 converges to (Jacot et al. 2018; Arora et al. 2019).
"""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from minima.theory.solve import solve

Array = NDArray[np.float64]
RIDGE = "ridge"  # solver_ of a fit with alpha > 0


class KernelRegressor(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Kernel regression on kernels that are given: K (n, n) of the training points in `fit`, K (t, n) of
    other points and these in `predict`.

    Parameters
    ----------
    alpha : float
        Ridge, in the kernel's own units. 0 interpolates.

    Attributes
    ----------
    dual_coef_ : array (n,) or (n, outputs)
    solver_ : "ridge", "cholesky" or "eigh"
    jitter_ : float, what was added to the kernel's diagonal to solve; 0 where nothing was
    rank_ : int, eigenvalues kept
    n_features_in_ : int

    Examples:
        >>> within, across = [[2.0, 0.0], [0.0, 4.0]], [[1.0, 1.0]]
        >>> KernelRegressor().fit(within, [2.0, 4.0]).predict(across).round(6).tolist()
        [2.0]
    """

    def __init__(self, *, alpha: float = 0.0) -> None:
        self.alpha = alpha

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fit on X (n, n), or (n, d) where the kernel is the estimator's own, and y (n,) or (n, outputs)."""
        if not self.alpha >= 0 or np.isinf(self.alpha):
            raise ValueError(f"alpha is {self.alpha!r}, need a finite number, at least 0")
        X, y = validate_data(self, X, y, multi_output=True, y_numeric=True, dtype=np.float64)
        kernel = self._within(X)
        solution = solve(kernel + self.alpha * np.eye(len(kernel)) if self.alpha else kernel, y)
        self.dual_coef_ = solution.x
        self.solver_ = RIDGE if self.alpha else solution.solver
        self.jitter_ = solution.jitter
        self.rank_ = solution.rank
        return self

    def predict(self, X: ArrayLike) -> Array:
        """Predictions for X (t, n), or (t, d): shape (t,) or (t, outputs)."""
        check_is_fitted(self)
        return self._across(validate_data(self, X, reset=False, dtype=np.float64)) @ self.dual_coef_

    def _within(self, X: Array) -> Array:
        return X

    def _across(self, X: Array) -> Array:
        return X

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = type(self) is KernelRegressor
        return tags
