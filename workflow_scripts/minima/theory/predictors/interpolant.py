"""The linearized limit without the initial function, f_int(x) = Θ_x Θ⁻¹ y: where a centred network ends.

For ReLU networks without biases it does not depend on the initial scale σ (2011.02408).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.marks import Predictor

if TYPE_CHECKING:
    from minima.theory.linearization import Linearization, Predicted


class Interpolant(Predictor):
    """Limit of the linearized network without its initial function."""


def predict(linearization: Linearization) -> Predicted:
    """`predict` returns f_int, by the formula of the linearized limit with f₀ = 0."""
    import torch

    dual = linearization.solve(linearization.kernel, linearization.targets)
    return linearization.of_dual(dual, torch.zeros_like(linearization.start))
