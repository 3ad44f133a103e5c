"""Exact trajectories of linearized networks that need the kernel Θ alone, never a parameter.

e = y − f on the n·o training rows, loss ‖e‖²/2N. Gradient descent in closed form,

    e_t = (I − ηΘ/N)^t e₀,   α_t = Θ⁻¹(e₀ − e_t),   f_t(x) = f₀(x) + Θ_x α_t;

every optimizer whose step is linear in the gradients by its own code on α (`run_linear`), full-batch or not,
under any loss.
A fixed preconditioner D ≻ 0 is gradient descent with JDJᵀ in the place of Θ.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from minima.engine.core import Recipe, train
from minima.engine.decompositions import eigh
from minima.engine.record import Finished, Rules
from minima.theory.linear_model import KernelModel, Shifted


@dataclass(frozen=True)
class Spectrum:
    """`Spectrum` gives gradient descent under Θ [E, n·o, n·o] from errors e₀ [E, n·o], in Θ's eigenbasis."""

    eigenvalues: Tensor  # [E, n·o], ascending
    basis: Tensor
    parts: Tensor  # Vᵀe₀

    def error(self, steps: Tensor, rate: Tensor) -> Tensor:
        """e_t [E, n·o] after `steps` [E] at η/N = `rate` [E]."""
        return self._back(self._factor(steps, rate) * self.parts)

    def dual(self, steps: Tensor, rate: Tensor) -> Tensor:
        """α_t [E, n·o]; its part along the null space of Θ moves no f and is 0."""
        known = self.eigenvalues > len(self.basis[0]) * torch.finfo(self.basis.dtype).eps * self._top
        moved = (1 - self._factor(steps, rate)) * self.parts
        return self._back(torch.where(known, moved / self.eigenvalues, 0))

    def steps_to(self, residual: float, rate: Tensor, most: int) -> Tensor:
        """`steps_to` returns the first step with ‖e_t‖ ≤ residual·‖e₀‖ [E], at most `most`. The step is found
        by bisection, as ‖e_t‖ never grows at a stable learning rate.
        """
        goal = residual * self.parts.norm(dim=1)
        low, high = torch.zeros_like(rate), torch.full_like(rate, most)
        while ((high - low) > 1).any():
            middle = ((low + high) / 2).floor()
            reached = (self._factor(middle, rate) * self.parts).norm(dim=1) <= goal
            low, high = torch.where(reached, low, middle), torch.where(reached, middle, high)
        return torch.where(self.parts.norm(dim=1) <= goal, 0, high)

    @property
    def _top(self) -> Tensor:
        return self.eigenvalues[:, -1:]

    def _factor(self, steps: Tensor, rate: Tensor) -> Tensor:
        """(1 − ηλ/N)^t."""
        return (1 - rate[:, None] * self.eigenvalues) ** steps[:, None]

    def _back(self, parts: Tensor) -> Tensor:
        return (self.basis @ parts[:, :, None])[:, :, 0]


def spectrum(kernel: Tensor, error: Tensor) -> Spectrum:
    """`spectrum` returns Θ [E, n·o, n·o] and e₀ [E, n, o] in Θ's eigenbasis."""
    eigenvalues, basis = eigh(kernel)
    parts = (basis.mT @ error.flatten(1)[:, :, None])[:, :, 0]
    return Spectrum(eigenvalues.clamp(min=0), basis, parts)


def run_linear(
    kernel: Tensor, start: Tensor, targets: Tensor, recipe: Recipe, rules: Rules
) -> list[Finished]:
    """Trains α of f₀ + Θα from 0 on, Θ [E, n·o, n·o], f₀ and y [E, n, o]; `weights` of the results are
    α [1, 1, n·o].

    For optimizers whose steps are linear in the gradients, with any loss, schedule and batches.
    """
    outputs = start.shape[2]
    model = Shifted(KernelModel(), outputs)
    x = model.features(KernelModel().features(kernel, outputs), start)
    alpha = kernel.new_zeros(len(kernel), 1, 1, kernel.shape[1])
    return sorted(train(model, [alpha], x, targets, recipe, rules), key=lambda done: done.index)
