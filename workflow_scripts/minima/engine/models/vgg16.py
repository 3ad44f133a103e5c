"""VGG16 (arXiv:1409.1556, configuration D) for small images: one dense layer behind the convolutions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from minima.plan.networks import ImageNetwork, Size

if TYPE_CHECKING:
    from minima.engine.networks.module import ModuleNet

CHANNELS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


class Vgg16(ImageNetwork):
    """VGG16 for small images: thirteen convolutions and one dense layer; an image of one pixel is not pooled
    any further."""

    def size(self, shape: Sequence[int], outputs: int) -> Size:
        pixels = prod(shape[1:])
        return Size.of(14.7e6, 3.1e5 * pixels, 1500 * pixels)  # counted at 32×32 with 10 classes


def build(network: Mapping[str, Any], shape: tuple[int, ...], outputs: int) -> ModuleNet:
    """The net that a cell's `network` section describes, for images of this shape.

    Each group of convolutions ends in pooling, as long as there is more than a pixel to pool.
    """
    import torch

    from minima.engine.networks.entries import chain, norm
    from minima.engine.networks.module import ModuleNet, nn

    channels, *sides = shape
    layers: list[nn.Module] = []
    with torch.device("meta"):
        for group in CHANNELS:
            for out in group:
                layers.append(nn.Conv2d(channels, out, 3, padding=1))
                layers += [*norm(out, network["batch_norm"]), nn.ReLU()]
                channels = out
            if min(sides) > 1:
                layers.append(nn.MaxPool2d(2))
                sides = [side // 2 for side in sides]
        dense = nn.Linear(channels * sides[0] * sides[1], outputs)
        return ModuleNet(chain([*layers, nn.Flatten(), dense]), shape, channels_last=True)
