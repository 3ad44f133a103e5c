"""A stack of networks at one step, as probes see it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class State:
    """`State` is a stack of E networks of K copies at one step."""

    ensemble: Any
    loss: Callable[..., tuple[Tensor, Tensor]]
    weights: Sequence[Tensor]  # [E, K, out, in] per layer
    start: Sequence[Tensor]  # the weights before the first step
    x: Tensor
    y: Tensor
    f: Tensor
    test: Sequence[Tensor] = ()  # x and y of the test points, where a probe asks for them

    def gradient(self, weights: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """`gradient` returns the loss [E] at other weights and ∂L/∂W of the trained layers there."""
        f, tape = self.ensemble.forward(weights, self.x, training=True)
        loss, slope = self.loss(f, self.y)
        gradient: list[Tensor | None] = [None] * len(weights)
        for layer in self.ensemble.trained:
            gradient[layer] = torch.empty_like(weights[layer])
        self.ensemble.gradients(weights, tape, slope, gradient)
        return loss, [gradient[layer] for layer in self.ensemble.trained]

    def of_numbers(self, finite: Tensor) -> "State":
        """`of_numbers` returns the stack with zeros for the weights and predictions of the networks that are
        not `finite` [E], of which nothing can be measured: an eigenvalue of no numbers would end the job."""
        weights = [of_each(finite, weight, 0.0) for weight in self.weights]
        return replace(self, weights=weights, f=of_each(finite, self.f, 0.0))

    def norms(self, weights: Sequence[Tensor]) -> Tensor:
        """`norms` returns the Frobenius norms [E, layers] of weights, layer by layer."""
        return torch.stack([norms(weights[layer]) for layer in self.ensemble.parameters], dim=1)


def of_each(chosen: Tensor, values: Tensor, other: float) -> Tensor:
    """`of_each` returns the values [E, …] of the chosen [E] networks, and `other` for those of the rest."""
    return torch.where(chosen.view(-1, *[1] * (values.ndim - 1)), values, other)


def norms(weight: Tensor) -> Tensor:
    """`norms` returns the Frobenius norm of each network's part of a tensor [E, …]: [E]."""
    return torch.linalg.vector_norm(weight.flatten(1), dim=1)
