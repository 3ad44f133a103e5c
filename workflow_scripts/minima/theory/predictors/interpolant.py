"""The linearized limit without the initial function, f_int(x) = Θ_x Θ⁻¹ y: where a centred network ends.

For ReLU networks without biases it does not depend on the initial scale σ (2011.02408).
"""

import torch

from minima.theory.linearization import Linearization, Predicted


def predict(linearization: Linearization) -> Predicted:
    """`predict` returns f_int, by the formula of the linearized limit with f₀ = 0."""
    dual = linearization.solve(linearization.within, linearization.targets)
    return linearization.of_dual(dual, torch.zeros_like(linearization.start))
