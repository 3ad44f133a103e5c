"""AdaGrad-Norm: S ← S + ‖g‖² over all weights of a network, θ ← θ − η g/(√S + ε)."""

from collections.abc import Mapping

from torch import Tensor

from minima.engine.optimizers.gradient import descend


def start(theta: Tensor) -> list[Tensor]:
    """`start` returns one S per network."""
    return [theta.new_zeros(len(theta), 1, 1, 1)]


def step(theta: Tensor, gradient: Tensor, state: list[Tensor], numbers: Mapping[str, Tensor], k: int) -> None:
    """`step` takes one step size for all coordinates."""
    (total,) = state
    total.add_(gradient.square().sum((1, 2, 3), keepdim=True))
    descend(theta, gradient, total.sqrt().expand_as(gradient).clone(), numbers)
