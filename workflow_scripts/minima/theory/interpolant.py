"""The part of the linearized limit that the data alone decide: f_int(x) = Θ_x Θ⁻¹ y, with no f₀ in it.

What a centred or antisymmetric network of the same kernel converges to in the linearized regime.
"""

import numpy as np

from minima.theory import linearized
from minima.theory.linearized import Array


def predict(kernel: Array, start: Array, targets: Array) -> Array:
    """f_int at the test points [t, o]; arguments as in `minima.theory.linearized.predict`."""
    return linearized.predict(kernel, np.zeros_like(start), targets)
