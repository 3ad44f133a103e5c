"""Analytic kernels of infinitely wide fully connected networks: NNGP and NTK.

The network has `depth` weight matrices, H of them, W_l with entries N(0, 1), and biases b_l ~ N(0, 1):

    h_1 = σ W_1 x/√d + β b_1,    h_{l+1} = σ W_{l+1} φ(h_l)/√m + β b_{l+1},    f = h_H

with σ = `weight_std`, β = `bias_std` and plain φ (ReLU carries no √2). As m → ∞, over initializations,

    NNGP  K_l(x, y) = E h_l(x) h_l(y):   K_1 = σ² x·y/d + β²,  K_{l+1} = σ² E φ(u)φ(v) + β²,
    NTK   Θ_l(x, y) = Σ_θ ∂f/∂θ(x) ∂f/∂θ(y):   Θ_1 = K_1,  Θ_{l+1} = K_{l+1} + σ² Θ_l E φ'(u)φ'(v),

with (u, v) ~ N(0, K_l) (Jacot et al. 2018; Lee et al. 2018, 2019). The parameters θ are the unit-variance
W, b: the convention of neural-tangents with parameterization="ntk". Where instead the weights are drawn
from N(0, σ²) and the forward pass holds no σ (`init.scale` of this project), without biases,

    NTK of those weights = ntk(…, weight_std=σ) / σ²,

which for ReLU and linear nets is σ^{2(H−1)} ntk(…, weight_std=1). Ridgeless regression is blind to it.

Numerics: the state of the recursion is (‖h(x)‖, ‖h(y)‖, angle), as the ReLU kernel has a kink in x·y at
equal points: an angle taken from a rounded cosine is off by 1e-8 there. Every step below adds
nonnegative terms and so keeps the angle's absolute error at rounding level; equal points get angle 0, hence
the analytic diagonal.
"""

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

_NEAR = 1e-3  # pairs with |cos| above 1 − _NEAR get their angle from differences
BLOCK = 2**18  # elements per temporary array: 2 MB


class Kernels(NamedTuple):
    """Both kernels of one network on the same points, each of shape (n1, n2)."""

    nngp: Array
    ntk: Array


ACTIVATIONS = tuple(sorted(path.stem for path in Path(__file__).with_name("activations").glob("[a-z]*.py")))


def ntk(
    x1: ArrayLike,
    x2: ArrayLike | None = None,
    depth: int = 2,
    activation: str = "relu",
    weight_std: float = 1.0,
    bias_std: float = 0.0,
) -> Array:
    """Neural tangent kernel Θ of x1 (n1, d) and x2 (n2, d): shape (n1, n2), float64.

    The convention, and how Θ follows when weights are drawn from N(0, σ²), is the module's. Without x2 it
    is x1 against itself: exactly symmetric and, up to rounding, positive semidefinite.

    Examples:
        Of two orthogonal points, one hidden layer of ReLU: 1/4 + 1/4 at equal points.

        >>> ntk([[1, 0], [0, 1]]).round(4).tolist()
        [[0.5, 0.0796], [0.0796, 0.5]]
        >>> ntk([[1, 0]], [[0, 1]], depth=3).shape
        (1, 1)
    """
    return _blockwise(x1, x2, depth, activation, weight_std, bias_std, wanted=("ntk",))[0]


def nngp(
    x1: ArrayLike,
    x2: ArrayLike | None = None,
    depth: int = 2,
    activation: str = "relu",
    weight_std: float = 1.0,
    bias_std: float = 0.0,
) -> Array:
    """Covariance K of the outputs at initialization on x1 (n1, d) and x2 (n2, d): shape (n1, n2), float64.

    Examples:
        >>> nngp([[1, 0], [0, 1]]).round(4).tolist()
        [[0.25, 0.0796], [0.0796, 0.25]]
    """
    return _blockwise(x1, x2, depth, activation, weight_std, bias_std, wanted=("nngp",))[0]


def nngp_and_ntk(
    x1: ArrayLike,
    x2: ArrayLike | None = None,
    depth: int = 2,
    activation: str = "relu",
    weight_std: float = 1.0,
    bias_std: float = 0.0,
) -> Kernels:
    """Both kernels for little more than the price of one."""
    return Kernels(*_blockwise(x1, x2, depth, activation, weight_std, bias_std, wanted=("nngp", "ntk")))


def nngp_diagonal(
    x: ArrayLike, depth: int = 2, activation: str = "relu", weight_std: float = 1.0, bias_std: float = 0.0
) -> Array:
    """Variances K(x, x) of the outputs at initialization: shape (n,), in O(nd)."""
    phi = _checked_activation(depth, activation, weight_std, bias_std)
    norm = _lengths_and_directions(_points(x, "x"))[0]
    for layer in range(depth):
        norm = np.hypot(weight_std * (phi.norm(norm) if layer else norm), bias_std)
    return norm**2


def _blockwise(
    x1: ArrayLike,
    x2: ArrayLike | None,
    depth: int,
    activation: str,
    weight_std: float,
    bias_std: float,
    wanted: tuple[str, ...],
) -> list[Array]:
    """The wanted kernels, by blocks of rows, so that temporaries stay in cache and memory is the outputs'.

    A kernel of points with themselves is computed below its diagonal and mirrored: half the work, and
    symmetric to the last bit.
    """
    phi = _checked_activation(depth, activation, weight_std, bias_std)
    left = _lengths_and_directions(_points(x1, "x1"))
    symmetric = x2 is None or x2 is x1
    right = left if symmetric else _lengths_and_directions(_points(x2, "x2"))
    if left[1].shape[1] != right[1].shape[1]:
        raise ValueError(f"x1 has {left[1].shape[1]} features but x2 has {right[1].shape[1]}")
    n1, n2 = len(left[0]), len(right[0])
    out = [np.empty((n1, n2)) for _ in wanted]
    step = max(1, BLOCK // max(n2, 1))
    for start in range(0, n1, step):
        rows = slice(start, min(start + step, n1))
        columns = slice(0, rows.stop if symmetric else n2)
        block = _block(
            *(part[rows] for part in left),
            *(part[columns] for part in right),
            depth,
            phi,
            weight_std,
            bias_std,
        )._asdict()
        for kernel, name in zip(out, wanted, strict=True):
            kernel[rows, columns] = block[name]
            if symmetric:
                _mirror(kernel, rows)
    return out


def _mirror(kernel: Array, rows: slice) -> None:
    """Copy these rows' part below the diagonal to its place above."""
    kernel[: rows.start, rows] = kernel[rows, : rows.start].T
    square = kernel[rows, rows]
    kernel[rows, rows] = np.tril(square) + np.tril(square, -1).T


def _block(
    a: Array, u: Array, b: Array, v: Array, depth: int, phi: ModuleType, weight_std: float, bias_std: float
) -> Kernels:
    """Both kernels of points with lengths a, b = ‖x‖/√d and directions u, v."""
    angle = _angles(u, v)
    a, b = a[:, None], b[None, :]
    tangent = np.zeros_like(angle)
    for layer in range(depth):
        if layer:
            angle, derivative = phi.pair(a, b, angle)
            a, b = phi.norm(a), phi.norm(b)
            tangent *= weight_std**2 * derivative
        a, b = weight_std * a, weight_std * b
        if bias_std:
            angle = _angle_with_bias(a, b, angle, bias_std)
            a, b = np.hypot(a, bias_std), np.hypot(b, bias_std)
        kernel = a * b * np.cos(angle)
        tangent += kernel
    return Kernels(kernel, tangent)


def _angles(u: Array, v: Array) -> Array:
    """Angles in [0, π] between unit rows, to rounding also where they are (anti)parallel."""
    cosine = np.clip(u @ v.T, -1, 1)
    angle = np.arccos(cosine)
    rows, columns = np.nonzero(np.abs(cosine) > 1 - _NEAR)
    step = max(1, BLOCK // max(u.shape[1], 1))
    for start in range(0, len(rows), step):
        i, j = rows[start : start + step], columns[start : start + step]
        apart = np.linalg.norm(u[i] - v[j], axis=1)
        along = np.linalg.norm(u[i] + v[j], axis=1)
        angle[i, j] = 2 * np.arctan2(apart, along)
    return angle


def _angle_with_bias(a: Array, b: Array, angle: Array, bias_std: float) -> Array:
    """Angle between (a e, β) and (b e', β) where e, e' are unit vectors at `angle`: the haversine formula."""
    p, q = np.arctan2(a, bias_std), np.arctan2(b, bias_std)  # angles from the bias axis
    weight = np.sin(p) * np.sin(q)
    half_sine2 = np.sin((p - q) / 2) ** 2 + weight * np.sin(angle / 2) ** 2
    half_cosine2 = np.cos((p + q) / 2) ** 2 + weight * np.cos(angle / 2) ** 2
    return 2 * np.arctan2(np.sqrt(half_sine2), np.sqrt(half_cosine2))


def _lengths_and_directions(x: Array) -> tuple[Array, Array]:
    """‖x‖/√d of shape (n,) and x/‖x‖ of shape (n, d); a zero row has length 0 and no direction (zeros)."""
    norm = np.linalg.norm(x, axis=1)
    direction = np.divide(x, norm[:, None], out=np.zeros_like(x), where=norm[:, None] > 0)
    return norm / np.sqrt(x.shape[1]), direction


def _points(x: ArrayLike, name: str) -> Array:
    points = np.asarray(x, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] == 0:
        raise ValueError(f"{name} has shape {points.shape}, need (points, features)")
    return points


def _checked_activation(depth: int, activation: str, weight_std: float, bias_std: float) -> ModuleType:
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation {activation!r} is not one of {', '.join(ACTIVATIONS)}")
    if not isinstance(depth, int | np.integer) or depth < 1:
        raise ValueError(f"depth is {depth!r}, need a whole number of weight matrices, at least 1")
    if not weight_std > 0 or not bias_std >= 0:
        raise ValueError(f"need weight_std > 0 and bias_std ≥ 0, got {weight_std!r} and {bias_std!r}")
    return import_module(f"minima.theory.activations.{activation}")
