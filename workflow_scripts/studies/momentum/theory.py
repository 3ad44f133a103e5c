"""Rates and bounds of 2010.13165, mode by mode; conventions are those of `minima.theory.dynamics`."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minima.theory import dynamics

Array = NDArray[np.float64]


def loss_rate(optimizer: str, x: ArrayLike, numbers: Mapping[str, ArrayLike]) -> Array:
    """−d log A²/dk of a mode after many steps [..., modes]: −2 log |z|, z the recursion's largest root.

    Negative where the mode is unstable. nesterov_convex is nesterov with μ_k → 1.
    """
    x = np.asarray(x, dtype=np.float64)
    one = np.ones_like(x)
    if optimizer == "gd":
        polynomial = [x - 1]
    elif optimizer == "heavy_ball":
        momentum = np.asarray(numbers["momentum"])
        polynomial = [x - 1 - momentum, momentum * one]
    elif optimizer == "higher_momentum":
        beta1, beta2 = (np.asarray(numbers[name]) for name in dynamics.NUMBERS[optimizer])
        polynomial = [x - 1 - beta1, (beta1 - beta2) * one, beta2 * one]
    else:
        momentum = np.asarray(numbers.get("momentum", 1.0))
        polynomial = [-(1 + momentum) * (1 - x), momentum * (1 - x)]
    polynomial = np.stack(np.broadcast_arrays(*polynomial), axis=-1)
    order = polynomial.shape[-1]
    companion = np.zeros((*polynomial.shape, order))
    companion[..., 0, :] = -polynomial
    companion[..., np.arange(1, order), np.arange(order - 1)] = 1
    return -2 * np.log(np.abs(np.linalg.eigvals(companion)).max(-1))


# nesterov_convex in discrete steps: A² ≈ k^{−r}(1 − x)^k, a power law only for 1/√x ≪ k ≪ 1/x and
# exponential after that, at half the exponent of gd.


def window(x: ArrayLike) -> tuple[Array, Array]:
    """The steps 1/√x and 1/x: between them, far from both, nesterov_convex falls as a power of k."""
    x = np.asarray(x, dtype=np.float64)
    return 1 / np.sqrt(x), 1 / x


def convex_bound(x: ArrayLike, r: ArrayLike, steps: ArrayLike) -> Array:
    """The bound (r − 1)²/(λ₀t²) on L(t)/L(0), r ≥ 3, of nesterov_convex at t = k√η; x = ηλ₀; broadcast."""
    with np.errstate(divide="ignore"):
        return (np.asarray(r) - 1) ** 2 / (np.asarray(x) * np.square(np.asarray(steps, dtype=np.float64)))
