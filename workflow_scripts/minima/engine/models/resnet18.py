"""ResNet18 for small images."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minima.engine.networks.module import ModuleNet


def build(network: dict[str, Any], shape: tuple[int, ...], outputs: int) -> "ModuleNet":
    """The net that a cell's `network` section describes, for images of this shape."""
    from minima.engine.networks.resnet import resnet18

    return resnet18(shape, outputs, network["batch_norm"])
