"""Where the linearization of a network at its own start ends, instead of training it.

    f_lin(x; t→∞) = f₀(x) + Θ_x Θ⁻¹ (y − f₀(X))

the limit of gradient descent at every stable step size, of any schedule, and of momentum (2011.02408).
"""

import numpy as np
from numpy.typing import NDArray

from minima.theory.solve import solve

Array = NDArray[np.float64]


def predict(kernel: Array, start: Array, targets: Array) -> Array:
    """f_lin at the points that follow the training points.

    kernel [(n + t)·o, n·o]: rows for the n training points, then the t test points, each with o outputs;
    start [n + t, o]: f₀; targets [n, o]. Returns [t, o].
    """
    points, outputs = targets.shape
    rows = points * outputs
    dual = solve(kernel[:rows], (targets - start[:points]).ravel()).x
    return start[points:] + (kernel[rows:] @ dual).reshape(-1, outputs)
