"""Full-batch gradient descent: θ ← θ − η g."""

from collections.abc import Callable, Mapping, Sequence

from torch import Tensor


def start(weights: Sequence[Tensor]) -> list[Tensor]:
    """The optimizer's state: none."""
    return []


def step(
    weights: Sequence[Tensor],
    state: Sequence[Tensor],
    numbers: Mapping[str, Tensor],
    add_gradient: Callable[..., None],
) -> None:
    """One step in place. `numbers["lr"]` is η per network; `add_gradient(into, c)` adds c·g to `into`."""
    add_gradient(weights, -numbers["lr"])
