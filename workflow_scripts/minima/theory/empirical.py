"""The empirical tangent kernel of finite nets; its structured evaluation is the engine's."""

import torch
from torch import Tensor

from minima.engine.probes import State
from minima.engine.tangent import tangent_kernel

__all__ = ["kernel_extremes", "tangent_kernel"]


def kernel_extremes(state: State) -> Tensor:
    """Smallest and largest eigenvalue of the tangent kernel of the training points [E, 2], as a probe."""
    kernel = tangent_kernel(state.ensemble, state.weights, state.x, state.x.shape[1])
    return torch.linalg.eigvalsh(kernel)[:, [0, -1]]
