"""Adam: m ← β1 m + (1 − β1)g, v ← β2 v + (1 − β2)g², θ ← θ − η m̂/(√v̂ + ε), as torch.optim.Adam."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from minima.engine.optimizers.gradient import divided, fill, inverse


def start(weights: Sequence[Tensor]) -> list[Tensor]:
    """g, m and v."""
    return [torch.zeros_like(weight) for weight in [*weights, *weights, *weights]]


def step(
    weights: Sequence[Tensor],
    state: list[Tensor],
    numbers: Mapping[str, Tensor],
    add_gradient: Callable[..., None],
    k: int,
) -> None:
    """m̂ = m/(1 − β1^k), v̂ = v/(1 − β2^k)."""
    size = len(weights)
    gradients, means, squares = state[:size], state[size : 2 * size], state[2 * size :]
    fill(gradients, add_gradient)
    beta1, beta2 = numbers["beta1"], numbers["beta2"]
    rate = numbers["lr"] / (1 - beta1**k)
    for weight, gradient, mean, square in zip(weights, gradients, means, squares, strict=True):
        mean.lerp_(gradient, 1 - beta1)
        square.lerp_(gradient.square_(), 1 - beta2)
        root = torch.div(square, 1 - beta2**k, out=gradient).sqrt_()  # the gradient has served
        weight.addcmul_(divided(mean, root, numbers["epsilon"], out=root), rate, value=-1)


def preconditioner(state: list[Tensor], numbers: Mapping[str, Tensor], k: int) -> list[Tensor]:
    """D = 1/(√v̂ + ε) of the last step k."""
    squares = state[2 * len(state) // 3 :]
    return [inverse((square / (1 - numbers["beta2"] ** k)).sqrt(), numbers["epsilon"]) for square in squares]
