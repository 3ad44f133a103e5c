"""How a torch module starts, whatever draws its tensors: factors, signs and statistics."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from minima.engine.networks.entries import Entry, named

if TYPE_CHECKING:
    from minima.engine.networks.module import ModuleNet

BATCH_NORM = nn.modules.batchnorm._BatchNorm


def started(
    net: "ModuleNet", tensors: Sequence[np.ndarray], options: Mapping[str, Any], x: np.ndarray | None
) -> list[np.ndarray]:
    """`started` returns one array [1, out, in] per tensor of a network that was drawn, as its `init` section
    scales and flips them, in the net's parametrization, and settled at points x [n, d]."""
    own = [factor * tensor for factor, tensor in zip(_factors(net.entries, options), tensors, strict=True)]
    if net.scales is not None:
        own = [b * tensor for b, tensor in zip(net.scales.start, own, strict=True)]
    weights = settled(net, own, x)
    return _flipped(net, weights, x) if options.get("flip") else weights


def settled(net: "ModuleNet", weights: Sequence[np.ndarray], x: np.ndarray | None) -> list[np.ndarray]:
    """`settled` returns weights [1, out, in] with the statistics of batch normalization at points x [n, d],
    where the net keeps these."""
    found = [weight.copy() for weight in weights] if net.still else list(weights)
    if net.still:
        with _statistics_noted(net.module):
            _evaluated(net, found, x)
    return found


def _factors(entries: Sequence[Entry], options: Mapping[str, Any]) -> list[float]:
    """`_factors` returns what multiplies each tensor, by a cell's `init` section."""
    found = [options["scale"] if entry.scaled else 1.0 for entry in entries]
    given = options.get("layer_scales") or {}
    if not isinstance(given, Mapping):
        layers = list(dict.fromkeys(entry.layer for entry in entries if entry.scaled))
        if len(given) != len(layers):
            there = f"{len(layers)} layers: {', '.join(layers)}"
            raise ValueError(f"init.layer_scales has {len(given)} numbers for {there}")
        given = dict(zip(layers, given, strict=True))
    for name, factor in given.items():
        for i in named(entries, name, "init.layer_scales"):
            found[i] *= factor if entries[i].scaled else 1.0
    return found


def _flipped(net: "ModuleNet", weights: Sequence[np.ndarray], x: np.ndarray | None) -> list[np.ndarray]:
    """`_flipped` returns the weights with the last layer's negated. Raises `ValueError` where that does not
    negate f."""
    last = {i: entry.layer for i, entry in enumerate(net.entries) if entry.last}
    flipped = [-weight if i in last else weight for i, weight in enumerate(weights)]
    rows = np.ones((1, prod(net.row))) if x is None else x[:2]
    f, twin = (_evaluated(net, each, rows) for each in (weights, flipped))
    if not np.allclose(twin, -f, rtol=1e-6, atol=1e-9 * np.abs(f).max()):
        layer = next(iter(last.values()))
        raise ValueError(f"init.flip: f is not linear in the last layer, {layer}: its twin is not −f")
    return flipped


def _evaluated(net: "ModuleNet", weights: Sequence[np.ndarray], x: np.ndarray) -> np.ndarray:
    """`_evaluated` returns f [n, outputs] of one network, in evaluation."""
    with torch.no_grad():
        return net.alone([torch.from_numpy(weight[0]) for weight in weights], torch.tensor(x)).numpy()


@contextmanager
def _statistics_noted(module: nn.Module) -> Iterator[None]:
    """Within, each batch normalization keeps mean and variance of what it is given in its running statistics,
    and goes on with these: a pass over all points then leaves the exact ones in every layer."""

    def note(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        dims = [0, *range(2, inputs[0].ndim)]
        layer.running_mean.copy_(inputs[0].mean(dims))
        layer.running_var.copy_(inputs[0].var(dims, correction=0))

    layers = [m for m in module.modules() if isinstance(m, BATCH_NORM) and m.track_running_stats]
    with ExitStack() as hooks:
        for layer in layers:
            hooks.callback(layer.register_forward_pre_hook(note).remove)
        yield
