"""Kernel regression with the kernels of infinitely wide networks, as scikit-learn estimators."""

from collections.abc import Callable
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from minima.theory import kernels
from minima.theory.reference import dual_coefficients

Array = NDArray[np.float64]


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
        solution = dual_coefficients(self._kernel_of(X), y, self.alpha)
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
