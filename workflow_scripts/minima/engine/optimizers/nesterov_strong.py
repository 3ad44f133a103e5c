"""Nesterov's method for losses of curvature at least m: μ = (1 − √(ηm))/(1 + √(ηm))."""

from collections.abc import Mapping

from torch import Tensor

from minima.engine.optimizers.nesterov_convex import look_ahead, start

__all__ = ["LINEAR", "start", "step"]

LINEAR = True


def step(theta: Tensor, gradient: Tensor, state: list[Tensor], numbers: Mapping[str, Tensor], k: int) -> None:
    """`step` takes x' = θ − η g(θ), θ ← x' + μ(x' − x)."""
    root = (numbers["lr"] * numbers["curvature"]).sqrt()
    look_ahead(theta, gradient, state, numbers["lr"], (1 - root) / (1 + root))
