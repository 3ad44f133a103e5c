"""What an initialization scheme says, and the draw that the schemes share."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from minima.streams import stream

Draw = Callable[[Sequence[tuple[int, int]], Sequence[float], int], list[np.ndarray]]


class Scheme(NamedTuple):
    """A network is f = Σ_k readout_k f_k of copies with weights of their own, minus f₀ where centred.

    `draw(weight_shapes, stds, seed)` gives one array [copies, out, in] per layer.
    """

    draw: Draw
    readout: tuple[float, ...] = (1.0,)
    centred: bool = False

    def start(self, model: Any, options: Mapping[str, Any], seed: int) -> list[np.ndarray]:
        """The weights of one network by a cell's `init` section: one array [copies, out, in] per layer."""
        stds = [options["scale"] * std for std in model.draw_stds]
        weights = self.draw(model.weight_shapes, stds, seed)
        if options["output"] == "sign":
            weights[-1] = stds[-1] * np.sign(weights[-1])
        if options["flip"]:
            weights[-1] = -weights[-1]
        return weights


def gaussian(shapes: Sequence[tuple[int, int]], stds: Sequence[float], seed: int) -> list[np.ndarray]:
    """Independent normal entries. Each layer has a stream of its own: none depends on another's size."""
    return [
        std * stream(seed, f"weights/{layer}").standard_normal((1, *shape))
        for layer, (shape, std) in enumerate(zip(shapes, stds, strict=True))
    ]
