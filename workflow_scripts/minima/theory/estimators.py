"""Kernel regression with the kernels of infinitely wide networks, as scikit-learn estimators.

Examples:
    What gradient flow on an infinitely wide ReLU net, started at 0, makes of three points:

    >>> from minima.theory.estimators import NTKRegressor
    >>> net = NTKRegressor(depth=2).fit([[1, 0], [0, 1], [1, 1]], [1, 1, -1])
    >>> net.predict([[1, 0], [1, 1]]).round(6).tolist()
    [1.0, -1.0]
    >>> net.solver_
    'cholesky'

    With a ridge, and in scikit-learn's pipelines:

    >>> from sklearn.model_selection import cross_val_score
    >>> len(cross_val_score(NTKRegressor(alpha=0.1), [[1, 0], [0, 1], [1, 1], [2, 1]], [1, 1, -1, 0], cv=2))
    2
"""

from collections.abc import Callable
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from minima.theory import kernels
from minima.theory.regression import KernelRegressor

__all__ = ["KernelRegressor", "NNGPRegressor", "NTKRegressor"]

Array = NDArray[np.float64]


class _NetworkKernelRegressor(KernelRegressor):
    """Kernel regression with the kernel of an infinitely wide fully connected network.

    Parameters
    ----------
    depth, activation, weight_std, bias_std
        As in `minima.theory.kernels`. Inputs are used as given; the kernel itself divides by √d.
    alpha : float
        Ridge, in the kernel's own units. 0 interpolates.

    Attributes
    ----------
    X_fit_ : array (n, d); the others as of `KernelRegressor`
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
        super().__init__(alpha=alpha)
        self.depth = depth
        self.activation = activation
        self.weight_std = weight_std
        self.bias_std = bias_std

    def _within(self, X: Array) -> Array:
        self.X_fit_ = X
        return self._kernel_of(X)

    def _across(self, X: Array) -> Array:
        return self._kernel_of(X, self.X_fit_)

    def _kernel_of(self, x1: Array, x2: Array | None = None) -> Array:
        return self._kernel(x1, x2, self.depth, self.activation, self.weight_std, self.bias_std)


class NTKRegressor(_NetworkKernelRegressor):
    __doc__ = _NetworkKernelRegressor.__doc__.replace("the kernel of", "the neural tangent kernel of", 1)
    _kernel = staticmethod(kernels.ntk)


class NNGPRegressor(_NetworkKernelRegressor):
    __doc__ = _NetworkKernelRegressor.__doc__.replace("the kernel of", "the NNGP kernel of", 1)
    _kernel = staticmethod(kernels.nngp)
