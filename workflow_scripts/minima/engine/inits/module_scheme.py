"""How torch modules start: each tensor has a stream of its own, so none depends on another's size."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from minima.engine.models.module import Entry, ModuleNet
from minima.streams import stream

Draw = Callable[[Entry, np.random.Generator], np.ndarray]


class ModuleScheme(NamedTuple):
    """`draw(entry, generator)` gives the matrix of one tensor at σ = 1; what is not drawn is constant."""

    draw: Draw
    readout: tuple[float, ...] = (1.0,)
    centred: bool = False

    def start(
        self, model: ModuleNet, options: Mapping[str, Any], seed: int, x: np.ndarray | None = None
    ) -> list[np.ndarray]:
        """`start` returns one array [1, out, in] per tensor; the points x do not matter."""
        return [
            np.full((1, *entry.matrix), entry.constant)
            if entry.fan_in is None
            else options["scale"] * self.draw(entry, stream(seed, f"weights/{i}"))[None]
            for i, entry in enumerate(model.entries)
        ]


def uniform(entry: Entry, generator: np.random.Generator) -> np.ndarray:
    """`uniform` returns entries uniform within ±1/√fan-in."""
    return generator.uniform(-1, 1, entry.matrix) / entry.fan_in**0.5
