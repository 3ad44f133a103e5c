"""The linearized network trained by gradient descent, step by step: a check of the closed form.

On the training points e ← (I − ηΘ/N) e, at half the stability edge η = N/λmax, until ‖e‖ ≤ 1e-8 ‖e₀‖.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.marks import Predictor

if TYPE_CHECKING:
    import numpy as np

    from minima.theory.linearization import Linearization, Predicted

RESIDUAL = 1e-8
MAX_STEPS = 1_000_000


class LinearizedGd(Predictor):
    """Linearized network, trained by gradient descent to a residual of 1e-8."""


def predict(linearization: Linearization) -> Predicted:
    """`predict` returns f after the run; NaN where the last step came before the residual."""
    import numpy as np
    import torch

    kernels, errors = linearization.kernel.cpu().numpy(), linearization.error.flatten(1).cpu().numpy()
    runs = [_descend(kernel, error) for kernel, error in zip(kernels, errors, strict=True)]
    dual = torch.as_tensor(np.stack([dual for dual, _ in runs])).to(linearization.error)
    steps = torch.tensor([float(steps) for _, steps in runs]).to(dual)
    found = linearization.of_dual(dual.view_as(linearization.error), steps=steps)
    return found.where(steps < MAX_STEPS)


def _descend(kernel: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, int]:
    """Σ ηe/N [n·o], by which f moves by Θ_x times this, and the steps."""
    import numpy as np
    import torch

    from minima.engine.decompositions import eigvalsh

    top = float(eigvalsh(torch.from_numpy(kernel))[-1])
    travelled = np.zeros_like(error)
    if top <= 0:  # no step moves it
        return travelled, MAX_STEPS
    rate = 1 / top  # η/N
    goal, error = RESIDUAL * np.linalg.norm(error), error.copy()
    for step in range(MAX_STEPS):
        if np.linalg.norm(error) <= goal:
            return travelled, step
        travelled += rate * error
        error -= rate * (kernel @ error)
    return travelled, MAX_STEPS
