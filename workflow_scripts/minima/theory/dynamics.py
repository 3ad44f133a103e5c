"""How the training error moves while the tangent kernel stands still: optimizers and their limiting ODEs,
eigenmode by eigenmode (2010.13165).

Setting. Error Δ = f − y on N training points; the loss is L = ‖Δ‖²/2 in the paper and ‖Δ‖²/2N in the engine,
so that the paper's η is the engine's learning rate over N. With a constant kernel H, H v_i = λ_i v_i, each
component δ_i = v_iᵀΔ is multiplied by an amplitude A that depends on λ_i alone,

    δ_i(k) = A(k; ηλ_i) δ_i(0),   A(0) = 1,   L(k) = ½ Σ_i A(k; ηλ_i)² δ_i(0)²,

and both the recursion of an optimizer and the ODE of its small steps are statements about A. Optimizers start
at rest, as the engine's do, and have the engine's names and numbers.

    optimizer         recursion, x = ηλ                              small steps           time t
    gd                A_{k+1} = (1 − x) A_k                          Ȧ + λA = 0            kη
    heavy_ball        A_{k+1} = (1 − x) A_k + μ(A_k − A_{k−1})       Ä + bȦ + λA = 0       k√η, μ = 1 − b√η
                                                                     Ȧ + λA = 0            kη/(1 − μ), μ fixed
    nesterov          X_{k+1} = (1 − x) A_k,                         Ä + bȦ + λA = 0       k√η, μ = 1 − b√η
                      A_{k+1} = X_{k+1} + μ(X_{k+1} − X_k)
    nesterov_convex   the same, μ_k = (k − 1)/(k + r − 1) in A_k     Ä + (r/t)Ȧ + λA = 0   k√η
    higher_momentum   V_{k+1} = β₁V_k + β₂V_{k−1} + x A_k,           Ȧ + λA = 0            kη/(1 − β₁ − β₂)
                      A_{k+1} = A_k − V_{k+1}

For Nesterov's method A is the error at the point where the gradient is taken, which is what the engine trains
and records; X is that of the iterates, which start from the same point.

Shapes: `x`, `eigenvalues` and the optimizers' numbers broadcast to [..., modes], networks in front; steps
and times [S] come behind: amplitudes [..., modes, S]. Units: x, steps and amplitudes are pure numbers; λ is
1/time in an ODE of first order and 1/time² in one of second order, b is 1/time. With time counted in steps,
λ is x and b is 1 − μ.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import hyp0f1

Array = NDArray[np.float64]


def amplitudes(optimizer: str, x: ArrayLike, steps: Sequence[int], numbers: Mapping[str, ArrayLike]) -> Array:
    """A(k; x) [..., modes, S] of an optimizer's recursion at the `steps`, which rise from 0 or more.

    numbers: the optimizer's own by the config's names (momentum; r; beta1, beta2), each broadcast against x.

    Examples:
        >>> amplitudes("gd", [0.5, 0.25], steps=[0, 1, 2], numbers={}).tolist()
        [[1.0, 0.5, 0.25], [1.0, 0.75, 0.5625]]
    """
    steps = np.asarray(steps, dtype=np.int64)
    if len(steps) and (steps[0] < 0 or np.any(np.diff(steps) <= 0)):
        raise ValueError("steps must rise, from 0 or more")
    given = [np.asarray(numbers[name], dtype=np.float64) for name in NUMBERS[optimizer]]
    x, *given = np.broadcast_arrays(np.asarray(x, dtype=np.float64), *given)
    found = np.empty((*x.shape, len(steps)))
    columns = {step: column for column, step in enumerate(steps.tolist())}
    with np.errstate(over="ignore", invalid="ignore"):  # an unstable mode overflows, as its network does
        every = islice(RECURSIONS[optimizer](x, *given), steps[-1] + 1 if len(steps) else 0)
        for step, amplitude in enumerate(every):
            if step in columns:
                found[..., columns[step]] = amplitude
    return found


def _gd(x: Array) -> Iterator[Array]:
    amplitude = np.ones_like(x)
    while True:
        yield amplitude
        amplitude = (1 - x) * amplitude


def _heavy_ball(x: Array, momentum: Array) -> Iterator[Array]:
    amplitude, velocity = np.ones_like(x), np.zeros_like(x)
    while True:
        yield amplitude
        velocity = momentum * velocity - x * amplitude
        amplitude = amplitude + velocity


def _nesterov(x: Array, momentum: Array) -> Iterator[Array]:
    return _look_ahead(x, lambda k: momentum)


def _nesterov_convex(x: Array, r: Array) -> Iterator[Array]:
    return _look_ahead(x, lambda k: (k - 1) / (k + r - 1))


def _look_ahead(x: Array, momentum: Callable[[int], Array]) -> Iterator[Array]:
    """μ_k at step k = 1, 2 …"""
    amplitude = iterate = np.ones_like(x)
    k = 0
    while True:
        yield amplitude
        k += 1
        before, iterate = iterate, (1 - x) * amplitude
        amplitude = iterate + momentum(k) * (iterate - before)


def _higher_momentum(x: Array, beta1: Array, beta2: Array) -> Iterator[Array]:
    amplitude, last, before = np.ones_like(x), np.zeros_like(x), np.zeros_like(x)
    while True:
        yield amplitude
        last, before = beta1 * last + beta2 * before + x * amplitude, last
        amplitude = amplitude - last


RECURSIONS: dict[str, Callable[..., Iterator[Array]]] = {
    "gd": _gd,
    "heavy_ball": _heavy_ball,
    "nesterov": _nesterov,
    "nesterov_convex": _nesterov_convex,
    "higher_momentum": _higher_momentum,
}
NUMBERS: dict[str, tuple[str, ...]] = {
    "gd": (),
    "heavy_ball": ("momentum",),
    "nesterov": ("momentum",),
    "nesterov_convex": ("r",),
    "higher_momentum": ("beta1", "beta2"),
}


def limit(optimizer: str, x: ArrayLike, steps: ArrayLike, numbers: Mapping[str, ArrayLike]) -> Array:
    """A [..., modes, S] of the ODE that the optimizer's small steps follow, at the time of its `steps`.

    Arguments as of `amplitudes`; heavy_ball and nesterov by their ODE of second order.
    """
    x = np.asarray(x, dtype=np.float64)
    if optimizer == "gd":
        return first_order(x, steps)
    if optimizer == "nesterov_convex":
        return bessel(x, steps, numbers["r"])
    if optimizer == "higher_momentum":
        return first_order(x * speed_up(optimizer, numbers), steps)
    return damped(x, steps, 1 - np.asarray(numbers["momentum"], dtype=np.float64))


def first_order(eigenvalues: ArrayLike, times: ArrayLike) -> Array:
    """Ȧ + λA = 0: A = e^{−λt}."""
    return np.exp(-_outer(eigenvalues, times))


def damped(eigenvalues: ArrayLike, times: ArrayLike, damping: ArrayLike) -> Array:
    """Ä + bȦ + λA = 0 from A = 1 at rest, b the damping.

    With s = −b/2 ± √(b²/4 − λ) a mode swings where b < 2√λ and creeps where b > 2√λ; at b = 2√λ
    A = e^{−bt/2}(1 + bt/2). These forms of the solution lose no digits near there.
    """
    times = np.asarray(times, dtype=np.float64)
    damping, eigenvalues = np.asarray(damping, dtype=np.float64), np.asarray(eigenvalues, dtype=np.float64)
    half, rate = (array[..., None] for array in np.broadcast_arrays(damping / 2, eigenvalues))
    root = np.sqrt(np.abs(half**2 - rate))  # ω, or (s₊ − s₋)/2
    # e^{−bt/2}(cos ωt + (b/2ω) sin ωt)
    swinging = np.exp(-half * times) * (np.cos(root * times) + half * times * np.sinc(root * times / np.pi))
    # e^{s₊t}(1 − s₊t (1 − e^{−z})/z) with z = (s₊ − s₋)t
    fall = rate / np.where(half + root == 0, 1, half + root)  # −s₊, without cancellation
    gap = 2 * root * times
    mean = np.where(gap == 0, 1, -np.expm1(-gap) / np.where(gap == 0, 1, gap))
    creeping = np.exp(-fall * times) * (1 + fall * times * mean)
    return np.where(half**2 < rate, swinging, creeping)


def bessel(eigenvalues: ArrayLike, times: ArrayLike, r: ArrayLike) -> Array:
    """Ä + (r/t)Ȧ + λA = 0 from A = 1 at rest: A = Γ(ν + 1)(2/z)^ν J_ν(z), z = √λ t, ν = (r − 1)/2.

    A² falls as t^{−r}: L(t) ≤ (r − 1)² L(0)/(λ₀t²) for r ≥ 3.
    """
    eigenvalues, r = np.broadcast_arrays(np.asarray(eigenvalues, np.float64), np.asarray(r, np.float64))
    return hyp0f1((r[..., None] + 1) / 2, -_outer(eigenvalues, np.square(times)) / 4)  # finite at 0


def speed_up(optimizer: str, numbers: Mapping[str, ArrayLike]) -> ArrayLike:
    """How many times as far as gd's an optimizer's step reaches once its momentum, which is fixed, has built
    up: 1/(1 − μ), 1/(1 − β₁ − β₂). Its small steps are gradient descent at η times this."""
    return 1 / (1 - sum(np.asarray(numbers[name], dtype=np.float64) for name in NUMBERS[optimizer]))


def loss_curve(amplitudes: ArrayLike, parts: ArrayLike) -> Array:
    """L(k)/L(0) [..., S] from amplitudes [..., modes, S] and the start's components δ_i(0) [..., modes]."""
    share = np.square(parts) / np.square(parts).sum(-1, keepdims=True)
    return np.einsum("...ms,...m->...s", np.square(amplitudes), share)


def _outer(values: ArrayLike, times: ArrayLike) -> Array:
    """[..., modes] and [S] → [..., modes, S]."""
    return np.asarray(values, dtype=np.float64)[..., None] * np.asarray(times, dtype=np.float64)
