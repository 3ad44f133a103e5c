"""Sign descent: θ ← θ − η sign g."""

from collections.abc import Mapping

from torch import Tensor


def start(theta: Tensor) -> list[Tensor]:
    """`start` returns no state."""
    return []


def step(theta: Tensor, gradient: Tensor, state: list[Tensor], numbers: Mapping[str, Tensor], k: int) -> None:
    """`step` moves every coordinate by η."""
    theta.addcmul_(gradient.sign_(), numbers["lr"], value=-1)
