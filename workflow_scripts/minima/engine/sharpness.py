"""Largest eigenvalue of the loss's Hessian over the trained layers, by power iteration; the Hessian times a
direction is a central difference of two gradients."""

from collections.abc import Sequence

import torch
from torch import Tensor

from minima.engine.state import State, norms

POWER_ITERATIONS = 100
DIFFERENCE = 1e-4


def sharpness(state: State) -> Tensor:
    """`sharpness` returns the largest eigenvalue [E]."""
    largest_in_size = _top_eigenvalue(state, torch.zeros_like(state.f[:, 0, 0]))
    if (largest_in_size > 0).all():
        return largest_in_size
    # The least eigenvalue is further from 0 than the largest: shifted by it, the order is restored.
    return _top_eigenvalue(state, largest_in_size.clamp(max=0))


def _top_eigenvalue(state: State, shift: Tensor) -> Tensor:
    """The eigenvalue of H that is furthest from `shift`, per network."""
    direction = [torch.ones_like(state.weights[layer]) for layer in state.ensemble.trained]
    eigenvalue = torch.zeros_like(shift)
    for _ in range(POWER_ITERATIONS):
        length = torch.stack([norms(part) for part in direction]).square().sum(0).sqrt()
        direction = [part / length.reshape(-1, 1, 1, 1) for part in direction]
        ahead, behind = (_gradient(state, direction, sign * DIFFERENCE) for sign in (1, -1))
        image = [(a - b) / (2 * DIFFERENCE) for a, b in zip(ahead, behind, strict=True)]
        products = [(part * moved).flatten(1).sum(1) for part, moved in zip(direction, image, strict=True)]
        eigenvalue = torch.stack(products).sum(0)
        direction = [
            moved - shift.reshape(-1, 1, 1, 1) * part for moved, part in zip(image, direction, strict=True)
        ]
    return eigenvalue


def _gradient(state: State, direction: Sequence[Tensor], step: float) -> list[Tensor]:
    """∂L/∂W of the trained layers at the weights moved by `step` along `direction`."""
    weights = list(state.weights)
    for layer, part in zip(state.ensemble.trained, direction, strict=True):
        weights[layer] = weights[layer] + step * part
    return state.gradient(weights)[1]
