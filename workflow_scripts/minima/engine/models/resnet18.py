"""ResNet18 for small images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from minima.plan.networks import ImageNetwork, Size

if TYPE_CHECKING:
    from minima.engine.networks.module import ModuleNet


class Resnet18(ImageNetwork):
    """ResNet18 for small images: its first convolution is 3×3 and nothing is pooled before the blocks."""

    def size(self, shape: Sequence[int], outputs: int) -> Size:
        pixels = prod(shape[1:])
        return Size.of(11.2e6, 5.4e5 * pixels, 1500 * pixels)  # counted at 32×32 with 10 classes


def build(network: Mapping[str, Any], shape: tuple[int, ...], outputs: int) -> ModuleNet:
    """The net that a cell's `network` section describes, for images of this shape."""
    from minima.engine.networks.resnet import resnet18

    return resnet18(shape, outputs, network["batch_norm"])
