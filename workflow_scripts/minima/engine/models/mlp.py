"""A fully connected net without biases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from minima.forms import GRAM, NARROW, form_of, moving_units
from minima.plan.files import training_rows
from minima.plan.networks import NetworkBase, Size, known_wide_kernels
from minima.plan.parts import NameOf

if TYPE_CHECKING:
    from minima.engine.networks.mlp import MLP

STACKED = True
DRAW = "gaussian"
FORMS = ("narrow", "gram")  # the cheapest first


class FullyConnected(NetworkBase):
    """A fully connected net without biases."""

    BY_LAYERS = True
    DEFAULTS: ClassVar[Mapping[str, Any]] = {}
    NARROW_SHARE: ClassVar[float] = 0.2  # of the rate of products: a vector and a matrix

    depth: int = Field(2, ge=2, le=100, description="Number of weight matrices.")
    width: int = Field(256, ge=1, description="Units of each hidden layer.")
    activation: Annotated[str, NameOf("activations")] = Field("relu", description="Nonlinearity.")
    parametrization: Literal["ntk", "standard", "none"] = Field(
        "ntk",
        description="Where 1/√fan-in stands: in the forward pass (ntk), in the draw (standard) or nowhere.",
    )
    frozen: list[Annotated[int, Field(ge=1)]] = Field(
        [], description="Layers that keep their initial weights, counted from 1."
    )

    @model_validator(mode="after")
    def _some_layer_is_trained(self) -> FullyConnected:
        if unknown := [layer for layer in self.frozen if layer > self.depth]:
            raise ValueError(f"frozen names layer {unknown[0]} of {self.depth}")
        if len(set(self.frozen)) == self.depth:
            raise ValueError("frozen names every layer: nothing is left to train")
        return self

    @property
    def label(self) -> str:
        return f"{self.depth}x{self.width}"

    def layer_sizes(self, features: int, outputs: int) -> list[int]:
        """`layer_sizes` returns inputs, hidden units and outputs."""
        return [features, *[self.width] * (self.depth - 1), outputs]

    def size(self, shape: Sequence[int], outputs: int) -> Size:
        sizes = self.layer_sizes(prod(shape), outputs)
        parameters = sum(a * b for a, b in pairwise(sizes))
        return Size.of(parameters, parameters, sum(sizes))

    def size_in_training(self, cell: Mapping[str, Any], shape: Sequence[int], outputs: int) -> Size:
        features, rows, whole = prod(shape), training_rows(cell["data"]), self.size(shape, outputs)
        sizes = self.layer_sizes(features, outputs)
        form = form_of(cell, sizes, rows)
        if form == NARROW:
            units, seen = min(self.width, moving_units(rows, features, outputs)), min(rows, features)
            products = outputs * seen * (3 * units + 2 * rows) / (3 * rows) / self.NARROW_SHARE
            moving, kept = units * (seen + outputs), features + units + outputs
            return Size(whole.parameters, moving, products, products, kept)
        if form == GRAM:  # one product of points by points for two of points by features
            moving = whole.moving + sizes[1] * (rows - features)
            step_products = whole.products + sizes[1] * (rows - 2 * features) / 3
            return whole._replace(moving=moving, step_products=step_products)
        return whole

    @classmethod
    def likeness(cls, options: Mapping[str, Any]) -> tuple[str, float, float]:
        word = f"{options['kind']} {options['activation']}{options['frozen']}"
        return word, options["width"], float(options["depth"])

    def wide_kernel_needs(self) -> Iterator[str]:
        if self.activation not in (known := known_wide_kernels()):
            yield f"activation {' or '.join(known)}, not {self.activation}"
        if self.parametrization != "ntk":
            yield f"parametrization ntk, not {self.parametrization}"


def build(network: Mapping[str, Any], shape: tuple[int, ...], outputs: int) -> MLP:
    """The net that a cell's `network` section describes, for rows of this shape and so many outputs."""
    from minima.engine.networks.mlp import MLP

    hidden = (network["width"],) * (network["depth"] - 1)
    frozen = tuple(layer - 1 for layer in network["frozen"])
    return MLP((prod(shape), *hidden, outputs), network["activation"], network["parametrization"], frozen)
