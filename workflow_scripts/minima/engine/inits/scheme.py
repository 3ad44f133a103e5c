"""The interface of an initialization scheme, and the draw that schemes share."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from minima.streams import stream

Draw = Callable[[Sequence[tuple[int, int]], Sequence[float], int, np.ndarray], list[np.ndarray]]


class Scheme(NamedTuple):
    """A network is f = Σ_k readout_k f_k of copies with weights of their own, minus f₀ where centred.

    `draw(weight_shapes, stds, seed, x)` gives one array [copies, out, in] per layer; x [n, d] are the
    training points, for schemes that look at them. `stand_in(model, points)` is the model whose weights these
    are, where it is not the one asked for.
    """

    draw: Draw
    readout: tuple[float, ...] = (1.0,)
    centred: bool = False
    stand_in: Callable[[Any, int], Any] | None = None

    def start(self, model: Any, options: Mapping[str, Any], seed: int, x: np.ndarray) -> list[np.ndarray]:
        """`start` returns the weights of one network by a cell's `init` section: one array [copies, out, in]
        per layer."""
        scale = options["scale"] * model.sizes[1] ** -options["width_power"]
        layers = options["layer_scales"] or [1.0] * len(model.draw_stds)
        stds = [scale * own * std for own, std in zip(layers, model.draw_stds, strict=True)]
        weights = self.draw(model.weight_shapes, stds, seed, x)
        if options["output"] == "sign":
            weights[-1] = stds[-1] * np.sign(weights[-1])
        if options["flip"]:
            weights[-1] = -weights[-1]
        return weights


def gaussian(
    shapes: Sequence[tuple[int, int]], stds: Sequence[float], seed: int, x: np.ndarray | None = None
) -> list[np.ndarray]:
    """`gaussian` returns independent normal entries. Each layer is drawn from a stream of its own, so that no
    layer depends on the size of another."""
    return [
        std * stream(seed, f"weights/{layer}").standard_normal((1, *shape))
        for layer, (shape, std) in enumerate(zip(shapes, stds, strict=True))
    ]
