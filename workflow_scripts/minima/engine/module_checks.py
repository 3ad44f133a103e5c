"""What a module of the user's own must be, asked before it is trained: each mistake with what to do.

`check` calls the module on a few rows: in evaluation through the net that is trained, in training as it is.
It is no code of a cell's training, so that another message trains nothing again.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parameter import UninitializedParameter

from minima.engine.foreign import ModuleError, seeded
from minima.engine.networks.module import ModuleNet

ROWS = 8  # that a module is called on


def check(
    net: ModuleNet,
    who: str,
    x: np.ndarray,
    outputs: int,
    batch: int | None = None,
    dtype: str = "float32",
    normalizes: bool = True,
    in_training: bool = True,
) -> None:
    """`check` raises `ModuleError` where a module cannot be trained on rows x [n, d] towards so many outputs,
    in batches of which the smallest has `batch` rows (None: all rows at once), or, unless it is to be
    `in_training` then, in evaluation throughout; `normalizes` says that the config knows of its batch
    normalization."""
    try:
        for mistake in _mistakes(net, x, outputs, batch, getattr(torch, dtype), in_training):
            raise ModuleError(f"{who} {mistake}")
        if not normalizes and any(isinstance(layer, _BatchNorm) for layer in net.module.modules()):
            said = "network.batch_norm: frozen, with the statistics of the start throughout, or true"
            raise ModuleError(f"{who} has batch normalization: say {said}, with those of each mini-batch")
    except _Fails as error:
        raise ModuleError(f"{who} {error}") from error.__cause__


class _Fails(Exception):
    """`_Fails` says on what a call fails."""


def _mistakes(
    net: ModuleNet, x: np.ndarray, outputs: int, batch: int | None, dtype: torch.dtype, in_training: bool
) -> Iterator[str]:
    yield from _of_parameters(net)
    rows = torch.as_tensor(x[:ROWS], dtype=dtype).reshape(-1, *net.row)
    weights = [torch.as_tensor(tensor, dtype=dtype) for tensor in net.own(0)]

    def evaluated(rows: Tensor) -> Tensor:
        return net.forward(weights, rows.flatten(1)[None])[0][0]

    shape = list(net.row)
    with torch.no_grad(), seeded(0):
        f = _called(lambda: net.make().to(dtype).eval()(rows), f"fails on rows of shape {shape}")
        yield from _of_outputs(f, len(rows), outputs, dtype)
        _called(lambda: evaluated(rows), f"fails on rows of shape {shape} with its tensors given to it")
        f = evaluated(rows)
    if in_training:
        yield from _of_training(net, rows, batch, dtype)
    one = _called(lambda: evaluated(rows[:1]), "fails on one row alone, where it takes several")
    if one.shape != (1, outputs):
        yield f"returns {list(one.shape)} on one row, not [1, {outputs}]: keep the dimension of the rows"
    if not _close(one, f[:1]):
        yield (
            "gives a row other outputs beside other rows than alone, in evaluation too: let each row stand "
            "for itself (batch normalization with track_running_stats, attention within a row)"
        )


def _of_parameters(net: ModuleNet) -> Iterator[str]:
    parameters = [*net.module.parameters()]
    if not parameters:
        yield (
            "has no parameters: there is nothing to train. Layers must be attributes of the module, or stand "
            "in an nn.ModuleList, not in a plain list"
        )
    if any(isinstance(parameter, UninitializedParameter) for parameter in parameters):
        yield "has lazy layers, whose sizes are not known before the first row: name the sizes"
    if any(not parameter.is_floating_point() for parameter in parameters):
        yield "has parameters that are no real floating point numbers: make them so"
    if not any(parameter.requires_grad for parameter in parameters):
        yield "has requires_grad: False for every parameter: there is nothing to train"
    if not all(np.array_equal(a, b) for a, b in zip(net.own(0), net.own(0), strict=True)):
        yield "starts otherwise each time under one seed: let it draw by torch, numpy.random or random alone"


def _of_outputs(f: object, rows: int, outputs: int, dtype: torch.dtype) -> Iterator[str]:
    if not isinstance(f, Tensor):
        yield f"returns a {type(f).__name__}, not one tensor [rows, {outputs}]: return the outputs alone"
        return
    if f.shape != (rows, outputs):
        hint = ": return f.unsqueeze(1)" if f.shape == (rows,) and outputs == 1 else ""
        yield (
            f"returns {list(f.shape)} on {rows} rows, and the labels need [{rows}, {outputs}]"
            f"{hint or ': give its last layer so many outputs, by network.args or in its code'}"
        )
    if f.dtype != dtype:
        yield f"returns {f.dtype} on rows of {dtype}: fix no dtype in its code"
    if not f.isfinite().all():
        yield "returns numbers that are not finite at its start: scale its inputs (normalize) or its weights"


def _of_training(net: ModuleNet, rows: Tensor, batch: int | None, dtype: torch.dtype) -> Iterator[str]:
    """`_of_training` asks the module as it is, in training: what it draws, and what it remembers."""
    with seeded(0):
        module = net.make().to(dtype).train(not net.still)
    normalized = {name for name, layer in module.named_modules() if isinstance(layer, _BatchNorm)}
    least = len(rows) if batch is None else min(batch, len(rows))
    if normalized and not net.still:
        yield from _of_batch_norm(module, batch)

    def trained(seed: int) -> Tensor:
        with torch.no_grad(), seeded(seed):
            return module(rows)

    with torch.no_grad():
        _called(lambda: module(rows[:least]), f"fails in training on a batch of {least} rows")
    before = {name: buffer.clone() for name, buffer in module.named_buffers()}
    first, again, other = (trained(seed) for seed in (0, 0, 1))
    changed = [name for name, buffer in module.named_buffers() if not torch.equal(before[name], buffer)]
    if kept := [name for name in changed if name.rpartition(".")[0] not in normalized]:
        yield (
            f"changes {', '.join(kept)} in forward: the statistics of batch normalization are the only state "
            "that may change beside what is trained. Take it out, or make it a parameter"
        )
    if not torch.equal(first, again):
        yield "gives other outputs when it is called again: let forward depend on inputs and parameters alone"
    if not torch.equal(first, other):
        yield "draws random numbers in forward: set dropout to p=0, and add no noise"


def _of_batch_norm(module: nn.Module, batch: int | None) -> Iterator[str]:
    if any(layer.momentum is None for layer in module.modules() if isinstance(layer, _BatchNorm)):
        yield "has batch normalization with momentum=None, which counts batches: give a momentum"
    if batch is None:
        yield "has batch normalization, which needs mini-batches: give optimizer.batch_size"
    elif batch < 2:
        yield (
            "has batch normalization, and one row has no variance: choose an optimizer.batch_size of which "
            "no batch of one row is left"
        )


def _called(call: Callable[[], Tensor], fails: str) -> Tensor:
    try:
        return call()
    except ModuleError:
        raise
    except Exception as error:
        said = str(error).strip().split("\n")[0]
        whole = "indices" in said or ("Long" in said and "Int" in said)
        hint = ". Rows are floating point numbers: where it needs whole ones (nn.Embedding), say x.long()"
        raise _Fails(f"{fails}: {type(error).__name__}: {said}{hint if whole else ''}") from error


def _close(a: Tensor, b: Tensor) -> bool:
    """`_close` returns whether two outputs agree but for rounding, which several layers multiply."""
    rounding = torch.finfo(a.dtype).eps ** 0.5
    return bool(((a - b).abs() <= rounding * (1e-3 + b.abs().max())).all())
