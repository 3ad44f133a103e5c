"""How networks start, as far as initializations share it. Parts import this module: it imports no arrays."""

from collections.abc import Mapping, Sequence
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any

from minima.streams import stream

if TYPE_CHECKING:
    from numpy import ndarray


def start(
    init: ModuleType,
    model: Any,
    options: Mapping[str, Any],
    seed: int,
    x: "ndarray | None" = None,
    y: "ndarray | None" = None,
) -> "list[ndarray]":
    """`start` returns the weights of one network, one array [copies, out, in] per tensor, by a cell's `init`
    section, for training points x [n, d] and their targets y: what the initialization's own `start` says,
    else what its `draw` gives as the model scales it."""
    if own := getattr(init, "start", None):
        return own(model, options, seed, x)
    there = {"y": y, "options": options, "model": model}
    asked = {name: there[name] for name in getattr(init, "ASKS_FOR", ())}
    return model.drawn(partial(init.draw, **asked), options, seed, x)


def copied(weights: "Sequence[ndarray]", copies: int) -> "list[ndarray]":
    """`copied` returns weights [copies, out, in] of all copies, equal ones where one was drawn."""
    return [weight if len(weight) == copies else weight.repeat(copies, axis=0) for weight in weights]


def gaussian(
    shapes: Sequence[tuple[int, int]], stds: Sequence[float], seed: int, x: "ndarray | None" = None
) -> "list[ndarray]":
    """`gaussian` returns independent normal entries [1, out, in]. Each layer is drawn from a stream of its
    own, so that no layer depends on the size of another."""
    return [
        std * stream(seed, f"weights/{layer}").standard_normal((1, *shape))
        for layer, (shape, std) in enumerate(zip(shapes, stds, strict=True))
    ]
