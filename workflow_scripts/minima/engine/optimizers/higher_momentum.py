"""Momentum with two terms: v_k = β1 v_{k−1} + β2 v_{k−2} + g, θ ← θ − η v_k (2010.13165, "HM")."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

LINEAR = True


def start(weights: Sequence[Tensor]) -> list[Tensor]:
    """v_{k−1} and v_{k−2}, 0, for all weights."""
    return [torch.zeros_like(weight) for weight in [*weights, *weights]]


def step(
    weights: Sequence[Tensor],
    state: list[Tensor],
    numbers: Mapping[str, Tensor],
    add_gradient: Callable[..., None],
    k: int,
) -> None:
    """The two velocities trade places at every step."""
    half = len(weights)
    last, before = state[:half], state[half:]
    for one, two in zip(last, before, strict=True):
        two.mul_(numbers["beta2"]).addcmul_(one, numbers["beta1"])
    add_gradient(before)
    state[:half], state[half:] = before, last
    for weight, velocity in zip(weights, before, strict=True):
        weight.addcmul_(velocity, numbers["lr"], value=-1)
