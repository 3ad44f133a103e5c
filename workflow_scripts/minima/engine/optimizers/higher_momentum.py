"""Momentum with two terms: v_k = β1 v_{k−1} + β2 v_{k−2} + g, θ ← θ − η v_k (2010.13165, "HM")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from minima.plan.optimizers import Optimizer, share

if TYPE_CHECKING:
    from torch import Tensor


class HigherMomentum(Optimizer):
    """v_k = β1 v_{k−1} + β2 v_{k−2} + g, θ ← θ − η v_k."""

    family = "descent"
    beta1: float = share(0.2, "β1.")
    beta2: float = share(0.2, "β2.")

    @classmethod
    def memory(cls, options: Mapping[str, Any]) -> float:
        return options["beta1"] + options["beta2"]


LINEAR = True


def start(theta: Tensor) -> list[Tensor]:
    """`start` returns v_{k−1} and v_{k−2}, both 0."""
    import torch

    return [torch.zeros_like(theta), torch.zeros_like(theta)]


def step(theta: Tensor, gradient: Tensor, state: list[Tensor], numbers: Mapping[str, Tensor], k: int) -> None:
    """`step` takes v_k for v_{k−2}: the two velocities trade places at every step."""
    last, before = state
    before.mul_(numbers["beta2"]).addcmul_(last, numbers["beta1"]).add_(gradient)
    state[:] = before, last
    theta.addcmul_(before, numbers["lr"], value=-1)
