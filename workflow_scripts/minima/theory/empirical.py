"""The empirical tangent kernel of finite nets: Θ[(x, a), (x', b)] = ⟨∂f_a(x)/∂θ, ∂f_b(x')/∂θ⟩."""

import torch
from torch import Tensor, nn

from minima.engine.ensemble import Ensemble
from minima.engine.jacobians import tangent_kernel
from minima.engine.networks.module import net_of

__all__ = ["module_kernel", "tangent_kernel"]


def module_kernel(module: nn.Module, x: Tensor, columns: Tensor | None = None) -> Tensor:
    """`module_kernel` returns Θ [n·outputs, n'·outputs] of a torch module in evaluation, between points x
    [n, …] and `columns` [n', …] (x itself where omitted), over the parameters that require gradients.

    Examples:
        A linear model's is that of its points, whatever its weights.

        >>> module_kernel(nn.Linear(2, 1, bias=False), torch.tensor([[1.0, 0.0], [2.0, 1.0]])).tolist()
        [[1.0, 2.0], [2.0, 5.0]]
    """
    net, weights = net_of(module, x.shape[1:])
    ensemble = Ensemble(net)
    points = x if columns is None else torch.cat([columns, x])
    kernel = tangent_kernel(
        ensemble, weights, points.flatten(1)[None], len(x if columns is None else columns)
    )
    return kernel[0] if columns is None else kernel[0, -len(x) * (kernel.shape[2] // len(columns)) :]
