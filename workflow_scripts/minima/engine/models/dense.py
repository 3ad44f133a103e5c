"""A fully connected ReLU net with biases."""

from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minima.engine.networks.module import ModuleNet


def build(network: dict[str, Any], shape: tuple[int, ...], outputs: int) -> "ModuleNet":
    """The net that a cell's `network` section describes, for rows of this shape."""
    import torch

    from minima.engine.networks.module import ModuleNet, nn

    sizes = [prod(shape), *network["hidden"]]
    with torch.device("meta"):
        layers = [layer for into, out in pairwise(sizes) for layer in (nn.Linear(into, out), nn.ReLU())]
        return ModuleNet(nn.Sequential(*layers, nn.Linear(sizes[-1], outputs)), (prod(shape),))
