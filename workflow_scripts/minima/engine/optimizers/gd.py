"""Full-batch gradient descent: θ ← θ − η g."""

from collections.abc import Mapping, Sequence

from torch import Tensor


def start(weights: Sequence[Tensor]) -> list[Tensor]:
    """The optimizer's state: none."""
    return []


def step(
    weights: Sequence[Tensor],
    gradients: Sequence[Tensor],
    state: Sequence[Tensor],
    numbers: Mapping[str, Tensor],
) -> None:
    """One step in place. `numbers["lr"]` is η per network, shaped to broadcast over weights."""
    for weight, gradient in zip(weights, gradients, strict=True):
        weight.addcmul_(gradient, numbers["lr"], value=-1)
