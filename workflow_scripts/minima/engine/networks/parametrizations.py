"""Parametrizations of torch modules: a module takes a·w in place of a tensor w, which starts as b·v, where v
is its start in the module as it is.

- `ntk`: a = 1/√fan-in for the weights of linear and convolutional layers and b = 1/a: at the start the same
  function, of which a step of gradient descent moves these weights a² times as far. Biases are as they are.
- `mup` (arXiv:2203.03466, Table 3): with r_in and r_out how many times more inputs and outputs a layer has
  than in the net of base width, a·w starts smaller by 1/√r_in in a layer whose outputs do not grow, and
  learning rates are multiplied by r_out/r_in under gradient descent and by 1/r_in under Adam. The rate stands
  in a: a step of gradient descent on w moves a·w a² times as far as one on v would, a step of Adam a times.

What is no weight of a layer (biases, normalizations, embeddings) counts as r_in = 1.
"""

from collections.abc import Callable, Sequence
from math import prod
from typing import NamedTuple

from minima.engine.networks.entries import Entry


class Scales(NamedTuple):
    """`Scales` holds a and b of every tensor."""

    forward: tuple[float, ...]
    start: tuple[float, ...]


def scales_of(
    parametrization: str, entries: Sequence[Entry], base: Callable[[], Sequence[Entry]], degree: float | None
) -> Scales | None:
    """`scales_of` returns the scales of a module's tensors, None where it is taken as it is. `base` returns
    the tensors of the net of base width; `degree` is the power of the gradient with which steps grow: 1 of
    gradient descent, 0 of Adam."""
    if parametrization == "ntk":
        return _ntk(entries)
    return _mup(entries, base(), degree) if parametrization == "mup" else None


def _ntk(entries: Sequence[Entry]) -> Scales:
    a = [1.0 if entry.fan_in is None or entry.bias else entry.fan_in**-0.5 for entry in entries]
    return Scales(tuple(a), tuple(1 / each for each in a))


def _mup(entries: Sequence[Entry], base: Sequence[Entry], degree: float) -> Scales:
    if [(e.name, len(e.shape)) for e in entries] != [(e.name, len(e.shape)) for e in base]:
        raise ValueError("network.base: the net of base width has other tensors, not only other widths")
    found = []
    for entry, narrow in zip(entries, base, strict=True):
        wider_in, wider_out = _wider(entry, narrow) if entry.parameter else (1.0, 1.0)
        a = (wider_out**degree / wider_in) ** (1 / (1 + degree))
        found.append((a, (wider_in**-0.5 if wider_out == 1 else 1.0) / a))
    return Scales(*zip(*found, strict=True))


def _wider(entry: Entry, narrow: Entry) -> tuple[float, float]:
    """`_wider` returns r_in and r_out."""
    out = prod(entry.shape[:1]) / prod(narrow.shape[:1])
    into = prod(entry.shape[1:]) / prod(narrow.shape[1:])
    weighs = entry.fan_in is not None and not entry.bias
    return (into, out) if weighs or (into != 1 and out != 1) else (1.0, into * out)
