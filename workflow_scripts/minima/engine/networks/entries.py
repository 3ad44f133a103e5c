"""The tensors of a torch module: parameters, then buffers of floating point numbers."""

from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from torch import Tensor, nn

CONVOLUTIONS = nn.Conv1d | nn.Conv2d | nn.Conv3d
NORMALIZATIONS = nn.modules.batchnorm._NormBase | nn.LayerNorm | nn.GroupNorm | nn.RMSNorm


@dataclass(frozen=True)
class Entry:
    """One tensor of a module."""

    name: str
    shape: tuple[int, ...]
    fan_in: int | None = None  # of its layer; None for what is not drawn
    constant: float = 0.0  # what it starts at where it is not drawn and the module has no start of its own
    bias: bool = False
    last: bool = False  # of the last layer
    scaled: bool = False  # whether `init.scale` multiplies it: parameters, but not those of normalizations
    parameter: bool = True  # else a buffer
    aliases: tuple[str, ...] = ()  # where else the module holds the same tensor

    @property
    def matrix(self) -> tuple[int, int]:
        """`matrix` returns the tensor's shape as a matrix [out, in]."""
        return (self.shape[0], prod(self.shape[1:])) if len(self.shape) > 1 else (1, prod(self.shape))

    @property
    def layer(self) -> str:
        """`layer` returns the name of the layer that holds the tensor, else the tensor's own."""
        return self.name.rpartition(".")[0] or self.name

    def uniform(self, generator: np.random.Generator) -> np.ndarray:
        """`uniform` draws the matrix within ±1/√fan-in, as PyTorch does."""
        return generator.uniform(-1, 1, self.matrix) / self.fan_in**0.5


WORDS = {nn.Conv2d: "conv", nn.Linear: "dense", nn.BatchNorm2d: "norm"}


def chain(layers: Iterable[nn.Module]) -> nn.Sequential:
    """`chain` returns layers one behind the other, named by what they are and their number: conv1, conv2 …"""
    named: dict[str, nn.Module] = {}
    seen: Counter[str] = Counter()
    for layer in layers:
        word = WORDS.get(type(layer), type(layer).__name__.lower())
        seen[word] += 1
        named[f"{word}{seen[word]}"] = layer
    return nn.Sequential(OrderedDict(named))


def without_counts(module: nn.Module) -> nn.Module:
    """`without_counts` has batch normalizations count no batches, as running means with a fixed momentum do
    not use that number."""
    for layer in module.modules():
        if isinstance(layer, nn.modules.batchnorm._NormBase) and layer.momentum is not None:
            layer.num_batches_tracked = None
    return module


def norm(channels: int, batch_norm: bool) -> list[nn.Module]:
    """`norm` returns a list of one batch normalization, empty where the net has none."""
    return [without_counts(nn.BatchNorm2d(channels))] if batch_norm else []


def entries_of(module: nn.Module) -> list[Entry]:
    """`entries_of` returns the parameters, then the buffers of a module."""
    layers = dict(module.named_modules())
    last = [name for name, layer in layers.items() if [*layer.parameters(recurse=False)]][-1:]
    found: dict[int, Entry] = {}
    for name, layer in layers.items():
        for own, parameter in layer._parameters.items():
            if parameter is not None:
                _add(found, parameter, _entry(name, layer, own, parameter, [name] == last))
    for name, layer in layers.items():
        for own, buffer in layer._buffers.items():
            if buffer is not None and buffer.is_floating_point():
                ones = float(own == "running_var")
                _add(
                    found,
                    buffer,
                    Entry(_joined(name, own), tuple(buffer.shape), constant=ones, parameter=False),
                )
    return [*found.values()]


def named(entries: Sequence[Entry], name: str, option: str) -> list[int]:
    """`named` returns the indices of the parameters that a name means: a parameter, or all of a layer. Raises
    `ValueError` with the names that there are."""
    found = [i for i, e in enumerate(entries) if e.name == name or e.name.startswith(f"{name}.")]
    if not found:
        there = ", ".join(dict.fromkeys(entry.layer for entry in entries))
        raise ValueError(f"{option}: the network has no layer or parameter '{name}', but {there}")
    return found


def _entry(name: str, layer: nn.Module, own: str, parameter: Tensor, last: bool) -> Entry:
    """`_entry` returns what is known of a parameter that a layer holds under the name `own`."""
    drawn = isinstance(layer, CONVOLUTIONS | nn.Linear) and own in ("weight", "bias")
    return Entry(
        _joined(name, own),
        tuple(parameter.shape),
        prod(layer.weight.shape[1:]) if drawn else None,
        constant=float(own == "weight"),  # of a normalization
        bias=own == "bias",
        last=last,
        scaled=not isinstance(layer, NORMALIZATIONS),
    )


def _add(found: dict[int, Entry], tensor: Tensor, entry: Entry) -> None:
    """`_add` notes an entry, or that a tensor which is there stands in one more place."""
    known = found.get(id(tensor))
    found[id(tensor)] = replace(known, aliases=(*known.aliases, entry.name)) if known else entry


def _joined(layer: str, own: str) -> str:
    return f"{layer}.{own}" if layer else own
