"""Nesterov's method for convex losses: μ_k = (k − 1)/(k + r − 1) at step k = 1, 2 …"""

from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

from minima.engine.optimizers.nesterov import look_ahead, start

__all__ = ["LINEAR", "start", "step"]

LINEAR = True


def step(
    weights: Sequence[Tensor],
    state: list[Tensor],
    numbers: Mapping[str, Tensor],
    add_gradient: Callable[..., None],
    k: int,
) -> None:
    """x' = θ − η g(θ), θ ← x' + μ(x' − x)."""
    look_ahead(weights, state, numbers["lr"], (k - 1) / (k + numbers["r"] - 1), add_gradient)
