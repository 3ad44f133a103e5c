"""Gaussian weights of a two-layer linear net of any width, drawn as those of an equivalent narrow net.

Only the span of the rows of [V; U1] in the hidden units matters (`minima.engine.models.narrow`); in a basis
of it these rows are a lower triangle of normals and, on its diagonal, χ's with h, h − 1, … degrees of freedom
(Bartlett's decomposition), and the rest of U is normal as before. So a net of m + n units stands for one of
h ≥ m + n: the same law of all that it computes, and no array that knows h.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from minima.engine.inits.scheme import Scheme
from minima.forms import moving_units
from minima.streams import stream

if TYPE_CHECKING:
    from minima.engine.models.mlp import MLP


def draw(
    shapes: Sequence[tuple[int, int]], stds: Sequence[float], seed: int, x: np.ndarray
) -> list[np.ndarray]:
    (width, features), (outputs, _) = shapes
    basis = np.linalg.qr(x.T).Q  # [d, n]
    z = triangle(stream(seed, "weights/1"), 1, width, outputs + basis.shape[1])[0]
    first = stream(seed, "weights/0").standard_normal((len(z), features))
    first += (z[outputs:].T - first @ basis) @ basis.T
    return [stds[0] * first[None], stds[1] * z[None, :outputs]]


def triangle(rng: np.random.Generator, count: int, width: int, rows: int) -> np.ndarray:
    """`triangle` draws `count` normal matrices [rows, width] and returns each in a basis of the span of its
    rows: [count, rows, rows]."""
    if width < rows:
        raise ValueError(f"width {width} is less than the {rows} units that move: draw the network itself")
    z = np.tril(rng.standard_normal((count, rows, rows)), -1)
    degrees = width - np.arange(rows)
    z[:, np.arange(rows), np.arange(rows)] = np.sqrt(rng.chisquare(degrees, (count, rows)))
    return z


def stand_in(model: "MLP", points: int) -> "MLP":
    """`stand_in` returns the narrow net that is trained in place of a net of any width."""
    inputs, _, outputs = model.sizes
    return replace(model, sizes=(inputs, moving_units(points, inputs, outputs), outputs))


SCHEME = Scheme(draw, stand_in=stand_in)
