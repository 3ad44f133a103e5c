"""What is recorded along the way beside the loss: each probe takes a `State`, returns [E] or [E, layers]."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

POWER_ITERATIONS = 100
DIFFERENCE = 1e-4


@dataclass(frozen=True)
class State:
    """A stack of networks at one step."""

    ensemble: Any
    loss: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
    weights: Sequence[Tensor]  # [E, K, out, in] per layer
    start: Sequence[Tensor]  # the weights before the first step
    x: Tensor
    y: Tensor
    f: Tensor
    test: Sequence[Tensor] = ()  # x and y of the test points, where a probe asks for them


def accuracy(state: State) -> Tensor:
    """Fraction of training points in the right class."""
    return accuracy_of(state.f, state.y)


def test_accuracy(state: State) -> Tensor:
    """Fraction of test points in the right class."""
    x, y = state.test
    return accuracy_of(state.ensemble.forward(state.weights, x)[0], y)


def accuracy_of(f: Tensor, y: Tensor) -> Tensor:
    """Fraction of points in the right class."""
    return right(f, y).double().mean(1)


def right(f: Tensor, y: Tensor) -> Tensor:
    """Whether a point [E, n] is in the right class: by sign for one output, else by the largest."""
    return ((f > 0) == (y > 0)).squeeze(2) if f.shape[2] == 1 else f.argmax(2) == y.argmax(2)


def norm(state: State) -> Tensor:
    """Frobenius norm of each weight matrix."""
    return torch.stack([_norms(state.weights[i]) for i in state.ensemble.parameters], dim=1)


def distance(state: State) -> Tensor:
    """Distance of each weight matrix from its start."""
    moved = [_norms(state.weights[i] - state.start[i]) for i in state.ensemble.parameters]
    return torch.stack(moved, dim=1)


def path_norm(state: State) -> Tensor:
    """ℓ1 and ℓ2 norm over paths [E, 2]: (Σ over paths of ∏|w|^p)^(1/p)."""
    return state.ensemble.path_norms(state.weights)


def flips(state: State) -> Tensor:
    """Fraction of hidden units × training points whose sign is not that of the start, per hidden layer."""
    now = state.ensemble.signs(state.weights, state.x)
    then = state.ensemble.signs(state.start, state.x)
    changed = [(a != b).flatten(1).double().mean(1) for a, b in zip(now, then, strict=True)]
    return torch.stack(changed, dim=1)


def decay(state: State) -> Tensor:
    """−L̇/L under gradient flow, ‖∂L/∂W‖²/L, in units of 1/(learning rate × steps)."""
    f, tape = state.ensemble.forward(state.weights, state.x)
    loss, slope = state.loss(f, state.y)
    gradient: list[Tensor | None] = [None] * len(state.weights)
    for layer in state.ensemble.trained:
        gradient[layer] = torch.zeros_like(state.weights[layer])
    state.ensemble.add_gradients(state.weights, tape, slope, gradient)
    return sum(_norms(gradient[layer]).square() for layer in state.ensemble.trained) / loss


def imbalance(state: State) -> Tensor:
    """Of two linear layers: ‖Λ − Λ₀‖/‖Λ₀‖ with Λ = U1ᵀU1 − VᵀV and U1 what the points see of the first."""
    basis = _row_space(state.x)
    now, then = (_imbalance(weights, basis) for weights in (state.weights, state.start))
    return _norms(now - then) / _norms(then)


def unseen(state: State) -> Tensor:
    """Of what the points do not see of the first layer, U2: ‖U2 − U2₀‖/‖U2₀‖."""
    basis = _row_space(state.x)
    now, then = (weights[0] - weights[0] @ basis @ basis.mT for weights in (state.weights, state.start))
    return _norms(now - then) / _norms(then)


def _row_space(x: Tensor) -> Tensor:
    """An orthonormal basis [E, 1, d, n] of what the points [E, n, d] span."""
    return torch.linalg.qr(x.mT).Q.unsqueeze(1)


def _imbalance(weights: Sequence[Tensor], basis: Tensor) -> Tensor:
    """Λ [E, K, h, h]."""
    seen = weights[0] @ basis
    return seen @ seen.mT - weights[1].mT @ weights[1]


def sharpness(state: State) -> Tensor:
    """Largest eigenvalue of the loss's Hessian over the trained layers, by power iteration; the Hessian times
    a direction is a central difference of two gradients."""
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
        length = torch.stack([_norms(part) for part in direction]).square().sum(0).sqrt()
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
    f, tape = state.ensemble.forward(weights, state.x)
    _, slope = state.loss(f, state.y)
    gradient: list[Tensor | None] = [None] * len(weights)
    for layer in state.ensemble.trained:
        gradient[layer] = torch.zeros_like(weights[layer])
    state.ensemble.add_gradients(weights, tape, slope, gradient)
    return [gradient[layer] for layer in state.ensemble.trained]


def _norms(weight: Tensor) -> Tensor:
    return torch.linalg.vector_norm(weight.flatten(1), dim=1)


Probe = Callable[[State], Tensor]
NEEDS_TEST = {"test_accuracy"}
NEEDS_START = {"distance", "flips", "imbalance", "unseen"}
PROBES: dict[str, Probe] = {
    "accuracy": accuracy,
    "test_accuracy": test_accuracy,
    "norm": norm,
    "distance": distance,
    "path_norm": path_norm,
    "flips": flips,
    "sharpness": sharpness,
    "decay": decay,
    "imbalance": imbalance,
    "unseen": unseen,
}
