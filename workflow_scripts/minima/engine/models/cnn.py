"""A small convolutional net: conv – conv – pool – conv – pool – dense – dense, kernels 3×3, ReLU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from minima.plan.networks import ImageNetwork, Size
from minima.plan.options import LATER

if TYPE_CHECKING:
    from minima.engine.networks.module import ModuleNet, nn


class Cnn(ImageNetwork):
    """A small convolutional net: three 3×3 convolutions, pooling behind the second and the third, two dense
    layers."""

    SMALLEST = 4

    channels: list[Annotated[int, Field(ge=1)]] = Field(
        [16, 32, 32], min_length=3, max_length=3, description="Channels of the three convolutions."
    )
    hidden: int = Field(256, ge=1, description="Units of the hidden dense layer.")
    batch_norm: bool | Literal["frozen"] = Field(
        False,
        description="Batch normalization behind every convolution; frozen: throughout with the statistics of "
        "the training points at the start.",
    )
    bias: bool = Field(
        True,
        description="Whether layers have biases; without them and without batch normalization f is "
        "homogeneous of degree 1 in the weights of each of the five layers.",
        json_schema_extra=LATER,
    )

    def size(self, shape: Sequence[int], outputs: int) -> Size:
        pixels = prod(shape[1:])
        kernels = [9 * into * out for into, out in pairwise([shape[0], *self.channels])]
        dense = self.channels[2] * pixels / 16 * self.hidden + self.hidden * outputs
        products = sum(k * pixels / part for k, part in zip(kernels, (1, 1, 4), strict=True)) + dense
        return Size.of(sum(kernels) + dense, products, 2 * pixels * sum(self.channels))


def build(network: Mapping[str, Any], shape: tuple[int, ...], outputs: int) -> ModuleNet:
    """The net that a cell's `network` section describes, for images of this shape."""
    import torch

    from minima.engine.networks.entries import chain, norm
    from minima.engine.networks.module import ModuleNet, nn

    channels, height, width = shape
    first, second, third = network["channels"]
    flat, bias = third * (height // 4) * (width // 4), network["bias"]

    def convolution(into: int, out: int) -> list[nn.Module]:
        return [nn.Conv2d(into, out, 3, padding=1, bias=bias), *norm(out, network["batch_norm"]), nn.ReLU()]

    with torch.device("meta"):
        module = chain(
            [
                *convolution(channels, first),
                *convolution(first, second),
                nn.MaxPool2d(2),
                *convolution(second, third),
                nn.MaxPool2d(2),
                nn.Flatten(),
                nn.Linear(flat, network["hidden"], bias=bias),
                nn.ReLU(),
                nn.Linear(network["hidden"], outputs, bias=bias),
            ]
        )
    return ModuleNet(module, shape, channels_last=True)
