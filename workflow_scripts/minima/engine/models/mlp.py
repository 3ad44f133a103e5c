"""A fully connected net without biases."""

from math import prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minima.engine.networks.mlp import MLP

STACKED = True  # many networks are trained together


def build(network: dict[str, Any], shape: tuple[int, ...], outputs: int) -> "MLP":
    """The net that a cell's `network` section describes, for rows of this shape and so many outputs."""
    from minima.engine.networks.mlp import MLP

    hidden = (network["width"],) * (network["depth"] - 1)
    frozen = tuple(layer - 1 for layer in network["frozen"])
    return MLP((prod(shape), *hidden, outputs), network["activation"], network["parametrization"], frozen)
