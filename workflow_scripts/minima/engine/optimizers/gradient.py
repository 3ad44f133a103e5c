"""For optimizers that look at each coordinate of the gradient: it is written to a buffer first."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def fill(buffers: Sequence[Tensor], add_gradient: Callable[..., None]) -> None:
    """g into the buffers."""
    for buffer in buffers:
        buffer.zero_()
    add_gradient(buffers)


def divided(numerator: Tensor, root: Tensor, epsilon: Tensor, out: Tensor) -> Tensor:
    """numerator/(root + ε), written to `out` and overwriting `root`; 0/0 is 0: a parameter that no gradient
    reaches. `out` may be either: fresh memory for every step made updates up to twice as slow."""
    quotient = torch.div(numerator, root.add_(epsilon), out=out)
    return quotient.nan_to_num_(nan=0.0, posinf=float("inf"), neginf=float("-inf"))


def inverse(root: Tensor, epsilon: Tensor) -> Tensor:
    """D = 1/(root + ε); 0 where that is 1/0, for a parameter that no gradient reached."""
    shifted = root + epsilon
    return torch.where(shifted > 0, 1 / shifted, 0)
