"""A piece of a flow: u follows du/dt = DJᵀe, e the pull of the loss, with D = diag(weights) and J held.

On the training points that is a flow in function space under K = JDJᵀ (`minima.theory.descent`), which under
the squared error has a closed form. Lengths are [E], or [E, q] where several are asked for at once.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from minima.engine.decompositions import eigh
from minima.engine.jacobians import Jacobian
from minima.theory.descent import Descent, Path, descend, landed
from minima.theory.losses import Goal, Objective

TOLERANCE = 1e-4  # of a step within a piece, whose D is wrong by more


class Piece(Protocol):
    """`Piece` is the flow of E networks from one point on."""

    def error(self, length: Tensor) -> Tensor:
        """`error` returns e(h) [E, n, o], for lengths [E, q] a stack of them [E, q, n, o]."""

    def f(self, length: Tensor) -> Tensor:
        """`f` returns f(h) [E, n, o] on the training points."""

    def step(self, length: Tensor) -> Tensor:
        """`step` returns u(h) − u = DJᵀ∫₀ʰ e [E, p]."""

    def until(self, goal: Goal, length: Tensor) -> Tensor:
        """`until` returns where the goal is met within lengths [E], and these where it is not."""


@dataclass(frozen=True)
class SquaredPiece:
    """`SquaredPiece` is a piece under the squared error, in the eigenbasis of JDJᵀ = VΛVᵀ."""

    jacobian: Jacobian
    weights: Tensor  # D [E, p]
    rates: Tensor  # Λ [E, n·o]
    basis: Tensor  # V
    parts: Tensor  # Vᵀe
    targets: Tensor  # y [E, n, o]

    def error(self, length: Tensor) -> Tensor:
        """e(h) = V e^{−Λh} Vᵀe."""
        if length.ndim == 1:
            return self.error(length[:, None])[:, 0]
        parts = torch.exp(-self.rates[:, None] * length[..., None]) * self.parts[:, None]
        return (parts @ self.basis.mT).unflatten(2, self.targets.shape[1:])

    def f(self, length: Tensor) -> Tensor:
        return self.targets - self.error(length)

    def step(self, length: Tensor) -> Tensor:
        """u(h) − u = DJᵀ V ((1 − e^{−Λh})/Λ) Vᵀe."""
        passed = self.rates * length[:, None]
        means = torch.where(passed > 0, -torch.expm1(-passed) / self.rates, length[:, None])
        integral = (self.basis @ (means * self.parts)[:, :, None]).view_as(self.targets)
        return self.weights * self.jacobian.transposed(integral)

    def until(self, goal: Goal, length: Tensor) -> Tensor:
        """The whole of them: beyond its goal the flow goes on to a limit that is known."""
        return length


@dataclass(frozen=True)
class AnyPiece:
    """`AnyPiece` is a piece under any loss, followed for some length."""

    jacobian: Jacobian
    weights: Tensor  # D [E, p]
    descent: Descent
    path: Path

    def error(self, length: Tensor) -> Tensor:
        if length.ndim == 1:
            return self.descent.objective.pull(self.f(length))
        return torch.stack([self.error(each) for each in length.unbind(1)], dim=1)

    def f(self, length: Tensor) -> Tensor:
        return self.descent.f(self.path.dual(length))

    def step(self, length: Tensor) -> Tensor:
        dual = self.path.dual(length).view_as(self.descent.start)
        return self.weights * self.jacobian.transposed(dual)

    def until(self, goal: Goal, length: Tensor) -> Tensor:
        if not (goal.met(self.f(length)) & (length > 0)).any():
            return length
        return landed(self.descent, self.path, goal.met, torch.zeros_like(length)).time


def piece(jacobian: Jacobian, weights: Tensor, objective: Objective, f: Tensor, length: Tensor) -> Piece:
    """`piece` returns the flow from f [E, n, o] on, under D = diag(weights), for lengths [E] at most."""
    if objective.squared:
        return squared_piece(jacobian, weights, objective.pull(f), objective.targets)
    descent = Descent(jacobian.weighted_kernel(weights), f, objective)
    return AnyPiece(jacobian, weights, descent, descend(descent, length, tolerance=TOLERANCE))


def squared_piece(jacobian: Jacobian, weights: Tensor, error: Tensor, targets: Tensor) -> SquaredPiece:
    """`squared_piece` returns the flow from e = y − f [E, n, o] on under the squared error, of any length."""
    rates, basis = eigh(jacobian.weighted_kernel(weights))
    parts = (basis.mT @ error.flatten(1)[:, :, None])[:, :, 0]
    return SquaredPiece(jacobian, weights, rates.clamp(min=0), basis, parts, targets)
