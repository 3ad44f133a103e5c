"""Quotients of optimizers that look at each coordinate of the gradient.

0/0 is 0 in them: no gradient reaches such a parameter. Where ε is 0 the training loop takes the smallest
normal number for it, so that no pass over the weights is needed to say so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def descend(theta: Tensor, numerator: Tensor, root: Tensor, numbers: dict[str, Tensor]) -> None:
    """`descend` takes θ ← θ − η numerator/(root + ε); `root` is overwritten."""
    import torch

    theta.addcmul_(torch.div(numerator, root.add_(numbers["epsilon"]), out=root), numbers["lr"], value=-1)


def inverse(root: Tensor, epsilon: Tensor) -> Tensor:
    """`inverse` returns D = 1/(root + ε); 0 where that is 1/0, for a parameter that no gradient reached."""
    import torch

    shifted = root + epsilon
    return torch.where(shifted > torch.finfo(shifted.dtype).tiny, 1 / shifted, 0)
