"""The linearized limit without the initial function, f_int(x) = Θ_x Θ⁻¹ y: where a centred network ends.

For ReLU networks without biases it does not depend on the initial scale σ (2011.02408).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.marks import PredictorOfDescent

if TYPE_CHECKING:
    from minima.theory.linearization import Linearization, Predicted


class Interpolant(PredictorOfDescent):
    """Limit of the linearized network without its initial function."""


def predict(linearization: Linearization) -> Predicted:
    """`predict` returns f_int, as the linearized limit with f₀ = 0."""
    import torch

    return linearization.of_flow(torch.zeros_like(linearization.start))
