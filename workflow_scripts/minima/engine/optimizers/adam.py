"""Adam: m ← β1 m + (1 − β1)g, v ← β2 v + (1 − β2)g², θ ← θ − η m̂/(√v̂ + ε), as torch.optim.Adam."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from minima.engine.quotients import inverse
from minima.plan.optimizers import Optimizer, beside_the_root, share

if TYPE_CHECKING:
    from torch import Tensor


class Adam(Optimizer):
    """Adam; weight decay is part of the gradient."""

    beta1: float = share(0.9, "β1.")
    beta2: float = share(0.999, "β2.")
    epsilon: float = beside_the_root(1e-8)


SQUARES = ("beta2", True)
MEMORY = ("beta1", "mean")


def start(theta: Tensor) -> list[Tensor]:
    """`start` returns m and v."""
    import torch

    return [torch.zeros_like(theta), torch.zeros_like(theta)]


def step(theta: Tensor, gradient: Tensor, state: list[Tensor], numbers: Mapping[str, Tensor], k: int) -> None:
    """`step` takes θ ← θ − (η c/(1 − β1^k)) m/(√v + ε c) with c = √(1 − β2^k), which is the formula above in
    two passes less."""
    import torch

    mean, square = state
    beta1, beta2 = numbers["beta1"], numbers["beta2"]
    correction = (1 - beta2**k).sqrt_()
    mean.lerp_(gradient, 1 - beta1)
    square.lerp_(gradient.square_(), 1 - beta2)
    root = torch.sqrt(square, out=gradient).add_(numbers["epsilon"] * correction)
    rate = numbers["lr"] * correction / (1 - beta1**k)
    theta.addcmul_(torch.div(mean, root, out=root), rate, value=-1)


def preconditioner(state: list[Tensor], numbers: Mapping[str, Tensor], k: int) -> Tensor:
    """`preconditioner` returns D = 1/(√v̂ + ε) of the last step k."""
    return inverse((state[1] / (1 - numbers["beta2"] ** k)).sqrt(), numbers["epsilon"])
