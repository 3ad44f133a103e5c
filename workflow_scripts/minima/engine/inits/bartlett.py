"""Gaussian weights of a two-layer linear net of any width, drawn as those of an equivalent narrow net.

Only the span of the rows of [V; U1] in the hidden units matters (`minima.engine.networks.narrow`); in a basis
of it these rows are a lower triangle of normals and, on its diagonal, χ's with h, h − 1, … degrees of freedom
(Bartlett's decomposition), and the rest of U is normal as before. So a net of m + n units stands for one of
h ≥ m + n: the same law of all that it computes, and no array that knows h.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any

from minima.forms import moving_units
from minima.plan.files import training_rows
from minima.plan.inits import LinearInit
from minima.plan.networks import is_two_linear_layers
from minima.plan.recipes import recipe_of
from minima.streams import stream

if TYPE_CHECKING:
    from numpy import ndarray

    from minima.engine.networks.mlp import MLP


class Bartlett(LinearInit):
    """Two linear layers, gaussian of any width, drawn and trained as an equivalent narrow net."""

    def drawn(self, parameters: float, rows: int, features: int, outputs: int) -> float:
        return moving_units(rows, features, outputs) * (features + outputs)

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        yield from super().impossible(cell)
        data, network = cell["data"], cell["network"]
        if not is_two_linear_layers(network):
            return
        if network["parametrization"] == "ntk":
            yield "init.scheme: bartlett needs parametrization: none or standard, not ntk"
        rows = training_rows(data)
        recipe = recipe_of(data)
        least = moving_units(rows, prod(recipe.row_shape() or (rows,)), recipe.output_count())
        if network["width"] < least:
            reason = "outputs and the lesser of training rows and features"
            yield f"init.scheme: bartlett needs a width of {least}, {reason}; use gaussian below"


def draw(shapes: Sequence[tuple[int, int]], stds: Sequence[float], seed: int, x: ndarray) -> list[ndarray]:
    from numpy.linalg import qr

    from minima.engine.linear_draws import triangle

    (width, features), (outputs, _) = shapes
    basis = qr(x.T).Q  # [d, n]
    z = triangle(stream(seed, "weights/1"), 1, width, outputs + basis.shape[1])[0]
    first = stream(seed, "weights/0").standard_normal((len(z), features))
    first += (z[outputs:].T - first @ basis) @ basis.T
    return [stds[0] * first[None], stds[1] * z[None, :outputs]]


def stand_in(model: MLP, points: int) -> MLP:
    """`stand_in` returns the narrow net that is trained in place of a net of any width."""
    inputs, _, outputs = model.sizes
    return replace(model, sizes=(inputs, moving_units(points, inputs, outputs), outputs))
