"""Full-batch gradient descent: θ ← θ − η g."""

from collections.abc import Mapping

from torch import Tensor

LINEAR = True


def start(theta: Tensor) -> list[Tensor]:
    """`start` returns no state."""
    return []


def step(theta: Tensor, gradient: Tensor, state: list[Tensor], numbers: Mapping[str, Tensor], k: int) -> None:
    """`step` takes θ ← θ − η g."""
    theta.addcmul_(gradient, numbers["lr"], value=-1)
