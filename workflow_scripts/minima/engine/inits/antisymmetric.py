"""(f_a − f_b)/√2 with equal weights at the start: f₀ = 0 and the kernel of one copy."""

from collections.abc import Sequence

import numpy as np

from minima.engine.inits.scheme import Scheme, gaussian


def draw(
    shapes: Sequence[tuple[int, int]], stds: Sequence[float], seed: int, x: np.ndarray | None = None
) -> list[np.ndarray]:
    return [np.concatenate([weight, weight]) for weight in gaussian(shapes, stds, seed)]


SCHEME = Scheme(draw, readout=(0.5**0.5, -(0.5**0.5)))
