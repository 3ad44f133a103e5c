"""The empirical tangent kernel of finite nets, layer by layer, never forming the Jacobian.

For a_l = s_l h_{l−1} W_lᵀ the Jacobian of output a at point x in W_l is s_l (∂f_a/∂a_l) h_{l−1}ᵀ, so

    Θ[(x, a), (x', b)] = Σ_l s_l² ⟨h_{l−1}(x), h_{l−1}(x')⟩ ⟨∂f_a(x)/∂a_l, ∂f_b(x')/∂a_l⟩

and the kernel of f = Σ_k c_k f_k is Σ_k c_k² Θ_k, as copies share no weight.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from minima.engine.core import Ensemble


def tangent_kernel(ensemble: Ensemble, weights: Sequence[Tensor], x: Tensor, columns: int) -> Tensor:
    """Θ between all points of x [E, n, d] and the first `columns` of them.

    Returns [E, n·outputs, columns·outputs], rows and columns ordered by point, then output.
    """
    copies = len(ensemble.readout)
    flat = [weight.flatten(0, 1) for weight in weights]
    _, tape = ensemble.model.forward(flat, x.repeat_interleave(copies, dim=0))
    signals = ensemble.model.signals(flat, tape)
    kernel: Tensor | None = None
    for hidden, signal, factor in zip(tape.hidden, signals, ensemble.model.factors, strict=True):
        batch, points, outputs, _ = signal.shape
        inner = torch.baddbmm(
            hidden.new_empty(batch, points, columns),
            hidden,
            hidden[:, :columns].mT,
            beta=0,
            alpha=factor**2,
        )
        outer = signal.flatten(1, 2) @ signal[:, :columns].flatten(1, 2).mT
        # inner says the same for every pair of outputs
        term = outer.view(batch, points, outputs, columns, outputs).mul_(inner[:, :, None, :, None])
        kernel = term if kernel is None else kernel.add_(term)
    kernel = kernel.flatten(3, 4).flatten(1, 2)
    squares = torch.tensor(ensemble.readout, dtype=kernel.dtype, device=kernel.device).square()
    return torch.einsum("k,ekij->eij", squares, kernel.unflatten(0, (-1, copies)))
