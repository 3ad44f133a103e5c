"""The limit under the fixed preconditioner D₀ = 1/|g₀| of the first gradient (2011.02408).

f_∞(x) = f₀(x) + j(x) D Jᵀ (J D Jᵀ)⁻¹ e₀
"""

import torch

from minima.theory.linearization import Linearization, Predicted


def predict(linearization: Linearization) -> Predicted:
    """`predict` returns the limit under D₀, which is 0 for a parameter that the first gradient does not
    reach."""
    gradient = linearization.rows.transposed(linearization.error).abs()
    return linearization.of_weights(torch.where(gradient > 0, 1 / gradient, 0))
