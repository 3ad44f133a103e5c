"""The empirical tangent kernel of finite nets: Θ[(x, a), (x', b)] = ⟨∂f_a(x)/∂θ, ∂f_b(x')/∂θ⟩.

Of stacked fully connected nets it is the engine's, layer by layer (`minima.engine.tangent`). Of any function
f(θ, x), a module's for one, `function_kernel` has it column by column: Θ e_(x', b) = J(x) [∂f_b(x')/∂θ]ᵀ, one
reverse pass through the single point x' and one forward pass (jvp) through all x. Neither forms J.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, jvp, vjp, vmap

from minima.engine.tangent import tangent_kernel, tangent_trace

__all__ = ["function_kernel", "module_kernel", "tangent_kernel", "tangent_trace"]


def function_kernel(
    f: Callable[[Any, Tensor], Tensor],
    parameters: Any,
    x: Tensor,
    columns: Tensor | None = None,
    trace: bool = False,
    chunk: int = 64,
) -> Tensor:
    """Θ between the points x [n, …] and `columns` [n', …] (x itself where omitted).

    f(parameters, points [k, …]) gives [k, outputs] and treats points one by one; parameters are a tensor, or
    a mapping or sequence of them. Returns [n·outputs, n'·outputs], ordered by point, then output, or with
    `trace` Σ_a Θ[(x, a), (x', a)], [n, n']. `chunk` columns are computed at once: memory is that many times
    the parameters and the activations at x.
    """
    columns = x if columns is None else columns
    with torch.no_grad():
        outputs = f(parameters, columns[:1]).shape[1]

    def column(point: Tensor, output: Tensor) -> Tensor:
        """Θ[:, (point, output)] as [n, outputs]; `output` is a row of the unit matrix."""
        _, pull = vjp(lambda theta: f(theta, point.unsqueeze(0)), parameters)
        (direction,) = pull(output.unsqueeze(0))
        _, image = jvp(lambda theta: f(theta, x), (parameters,), (direction,))
        return (image * output).sum(1, keepdim=True) if trace else image

    unit = torch.eye(outputs, dtype=x.dtype, device=x.device)
    points = columns.repeat_interleave(outputs, dim=0)
    found = vmap(column, chunk_size=chunk)(points, unit.repeat(len(columns), 1))  # [n'·outputs, n, ·]
    if trace:
        return found.squeeze(2).unflatten(0, (-1, outputs)).sum(1).T
    return found.flatten(1).T


def module_kernel(
    module: nn.Module, x: Tensor, columns: Tensor | None = None, trace: bool = False, chunk: int = 64
) -> Tensor:
    """`function_kernel` of a module over those of its parameters that require gradients."""
    tensors = {name: p.detach() for name, p in module.named_parameters()}
    trained = {name: tensors.pop(name) for name, p in module.named_parameters() if p.requires_grad}

    def f(theta: dict[str, Tensor], points: Tensor) -> Tensor:
        return functional_call(module, tensors | theta, (points,))

    return function_kernel(f, trained, x, columns, trace, chunk)
