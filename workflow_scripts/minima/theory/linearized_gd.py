"""The linearized network trained by gradient descent, step by step: a check of the closed form.

On the training points e ← (I − ηΘ/N) e, on any others f ← f + η Θ_x e/N, at half the stability edge
η = N/λmax, until ‖e‖ ≤ 1e-8 ‖e₀‖.
"""

import numpy as np

from minima.theory.linearized import Array

RESIDUAL = 1e-8
MAX_STEPS = 1_000_000


def predict(kernel: Array, start: Array, targets: Array) -> Array:
    """f at the test points [t, o] after the last step, NaN if that comes first.

    Arguments as in `minima.theory.linearized.predict`.
    """
    points, outputs = targets.shape
    rows = points * outputs
    within, across = kernel[:rows], kernel[rows:]
    error = (targets - start[:points]).ravel()
    top = np.linalg.eigvalsh(within)[-1]
    if top <= 0:  # no step moves it
        return np.full_like(start[points:], np.nan)
    rate = 1 / top  # η/N
    goal = RESIDUAL * np.linalg.norm(error)
    travelled = np.zeros(rows)  # Σ η e/N: f moves by Θ_x times this
    for _ in range(MAX_STEPS):
        if np.linalg.norm(error) <= goal:
            return start[points:] + (across @ travelled).reshape(-1, outputs)
        travelled += rate * error
        error -= rate * (within @ error)
    return np.full_like(start[points:], np.nan)
