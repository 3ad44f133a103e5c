"""A fully connected ReLU net with biases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from minima.plan.networks import Network, Size

if TYPE_CHECKING:
    from minima.engine.networks.module import ModuleNet


class Dense(Network):
    """A fully connected ReLU net with biases, as PyTorch has it."""

    hidden: list[Annotated[int, Field(ge=1)]] = Field(
        [100, 100], min_length=1, description="Units of each hidden layer."
    )

    def size(self, shape: Sequence[int], outputs: int) -> Size:
        sizes = [prod(shape), *self.hidden, outputs]
        parameters = sum(a * b for a, b in pairwise(sizes))
        return Size.of(parameters, parameters, sum(sizes))

    @classmethod
    def likeness(cls, options: Mapping[str, Any]) -> tuple[str, float, float]:
        word, _, depth = super().likeness(options)
        return word, max(options["hidden"]), depth


def build(network: Mapping[str, Any], shape: tuple[int, ...], outputs: int) -> ModuleNet:
    """The net that a cell's `network` section describes, for rows of this shape."""
    import torch

    from minima.engine.networks.entries import chain
    from minima.engine.networks.module import ModuleNet, nn

    sizes = [prod(shape), *network["hidden"]]
    with torch.device("meta"):
        layers = [layer for into, out in pairwise(sizes) for layer in (nn.Linear(into, out), nn.ReLU())]
        return ModuleNet(chain([*layers, nn.Linear(sizes[-1], outputs)]), (prod(shape),))
