"""Full-batch gradient descent: θ ← θ − η g."""

from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

LINEAR = True


def start(weights: Sequence[Tensor]) -> list[Tensor]:
    """No state."""
    return []


def step(
    weights: Sequence[Tensor],
    state: list[Tensor],
    numbers: Mapping[str, Tensor],
    add_gradient: Callable[..., None],
    k: int,
) -> None:
    """θ ← θ − η g in one pass over the weights."""
    add_gradient(weights, -numbers["lr"])
