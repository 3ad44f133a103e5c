"""A fully connected ReLU net with biases."""

from itertools import pairwise
from math import prod
from typing import Any

import torch
from torch import nn

from minima.engine.models.module import ModuleNet


def build(network: dict[str, Any], shape: tuple[int, ...], outputs: int) -> ModuleNet:
    """The net that a cell's `network` section describes, for rows of this shape."""
    sizes = [prod(shape), *network["hidden"]]
    with torch.device("meta"):
        layers = [layer for into, out in pairwise(sizes) for layer in (nn.Linear(into, out), nn.ReLU())]
        return ModuleNet(nn.Sequential(*layers, nn.Linear(sizes[-1], outputs)), (prod(shape),))
