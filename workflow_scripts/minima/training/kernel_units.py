"""Learning rates and momenta that a config gives in units of the network's own tangent kernel at the start.

With the loss ‖y − f‖²/2N a step of gradient descent takes the share ηλ/N of the error along an eigenvector
of eigenvalue λ.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Option = float | Mapping[str, float]


def is_relative(option: Option | None) -> bool:
    """`is_relative` returns whether an option is given in units of the kernel."""
    return isinstance(option, Mapping)


def is_named(option: Option | None) -> bool:
    """`is_named` returns whether a learning rate is one that theory names (`minima.theory.rates`)."""
    return is_relative(option) and "rate" in option


def learning_rate(option: Option, spectrum: Array | None, points: int) -> float:
    """η of `optimizer.lr`; `spectrum`: the kernel's ascending eigenvalues, `points`: N."""
    if not is_relative(option):
        return option
    if "relative" in option:
        return option["relative"] * stability_edge(spectrum, points)
    return option["relative_to_least"] * points / _least(spectrum, "optimizer.lr: relative_to_least")


def momentum(option: Option, rate: float, spectrum: Array | None, points: int) -> float:
    """μ of `optimizer.momentum` at the learning rate `rate`: 1 − b√(ηλmin/N)."""
    if not is_relative(option):
        return option
    share = rate * _least(spectrum, "optimizer.momentum: damping") / points
    found = 1 - option["damping"] * share**0.5
    if found < 0:
        raise ValueError(
            f"optimizer.momentum: damping {option['damping']:g} is a momentum of {found:.3g} for a network "
            f"whose ηλmin/N is {share:.3g}: take a damping below {share**-0.5:.3g} or a smaller lr"
        )
    return found


def stability_edge(spectrum: Array, points: int) -> float:
    """2N/λmax, the largest stable rate of gradient descent; 0 for a network that no step moves (all its ReLUs
    are off)."""
    top = float(spectrum[-1])
    return 2 * points / top if top > 0 else 0.0


def _least(spectrum: Array, asked: str) -> float:
    """λmin, which must be above rounding."""
    least, top = float(spectrum[0]), float(spectrum[-1])
    if least <= len(spectrum) * np.finfo(np.float64).eps * top:
        raise ValueError(
            f"{asked} is in units of λmin, and a network's tangent kernel at the start is singular "
            f"(eigenvalues {least:.3g} to {top:.3g}): wider networks, fewer points, or an absolute number"
        )
    return least
