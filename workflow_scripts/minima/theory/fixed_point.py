"""The self-consistent preconditioner (ours): the D that the flow under D itself would gather.

Under a fixed D, with JDJᵀ = VΛVᵀ and c = Vᵀe₀, gradient flow gathers

    S_i(D) = ∫₀^∞ g_i² dt = (JᵀQJ)_ii,   Q = V [c_k c_l/(λ_k + λ_l)]_kl Vᵀ

and AdaGrad's D is 1/√S. The fixed point D = S(D)^{−1/2} needs no flow: it explains most of the
distance between the minimizers of gradient descent and AdaGrad from the initialization alone. That it exists
and is the only one is not proven; `change` says whether the iteration settled.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from minima.engine.decompositions import eigh
from minima.engine.jacobians import Jacobian
from minima.theory.pieces import squared_piece


class FixedPoint(NamedTuple):
    weights: Tensor  # D [E, p]; 0 for a parameter that no gradient reaches
    change: Tensor  # the last change of log D, root mean square [E]
    iterations: Tensor  # [E]


def self_consistent(
    jacobian: Jacobian, error: Tensor, tolerance: float = 1e-8, most: int = 100
) -> FixedPoint:
    """`self_consistent` iterates D ← S(D)^{−1/2} from D₀ = 1/|g₀| until log D changes by no more than the
    tolerance, and returns D with the last change.

    As S(aD) = S(D)/a, a step halves the logarithm of a wrong scale of D: that part, the mean of the step in
    log D, is taken twice.
    """
    weights = _inverse_root(jacobian.transposed(error).square())
    used = weights > 0
    iterations, change = torch.zeros_like(error[:, 0, 0]), torch.full_like(error[:, 0, 0], torch.inf)
    for _ in range(most):
        going = change > tolerance
        if not going.any():
            break
        wanted = _inverse_root(gathered(jacobian, weights, error))
        step = torch.where(used, wanted.log() - weights.log(), 0)
        step = torch.where(used, step + step.sum(1, keepdim=True) / used.sum(1, keepdim=True), 0)
        size = (step.square().sum(1) / used.sum(1)).sqrt()
        weights = torch.where(going[:, None], weights * step.exp(), weights)
        change = torch.where(going, size, change)
        iterations = iterations + going
    return FixedPoint(weights, change, iterations)


def gathered(jacobian: Jacobian, weights: Tensor, error: Tensor) -> Tensor:
    """S(D) [E, p] of the whole flow under D = diag(weights), from e₀ [E, n, o]."""
    flow = squared_piece(jacobian, weights, error, error)
    rates = flow.rates[:, :, None] + flow.rates[:, None, :]
    outer = flow.parts[:, :, None] * flow.parts[:, None, :]
    inner = torch.where(rates > 0, outer / rates, 0)
    # Q has few eigenvalues that matter: Q = Σ_q r_q r_qᵀ, and S = Σ_q (Jᵀr_q)².
    sizes, vectors = eigh(inner)
    kept = int((sizes > 1e-14 * sizes[:, -1:]).sum(1).max())
    roots = (flow.basis @ vectors[:, :, -kept:]) * sizes[:, None, -kept:].clamp(min=0).sqrt()
    return jacobian.squares(roots.mT.unflatten(2, error.shape[1:]))


def _inverse_root(squares: Tensor) -> Tensor:
    return torch.where(squares > 0, squares.rsqrt(), 0)
