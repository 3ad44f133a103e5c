"""A small convolutional net: conv – conv – pool – conv – pool – dense – dense, kernels 3×3, ReLU."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minima.engine.networks.module import ModuleNet, nn


def build(network: dict[str, Any], shape: tuple[int, ...], outputs: int) -> "ModuleNet":
    """The net that a cell's `network` section describes, for images of this shape."""
    import torch

    from minima.engine.networks.module import ModuleNet, nn, norm

    channels, height, width = shape
    first, second, third = network["channels"]
    flat = third * (height // 4) * (width // 4)

    def convolution(into: int, out: int) -> "list[nn.Module]":
        return [nn.Conv2d(into, out, 3, padding=1), *norm(out, network["batch_norm"]), nn.ReLU()]

    with torch.device("meta"):
        module = nn.Sequential(
            *convolution(channels, first),
            *convolution(first, second),
            nn.MaxPool2d(2),
            *convolution(second, third),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(flat, network["hidden"]),
            nn.ReLU(),
            nn.Linear(network["hidden"], outputs),
        )
    return ModuleNet(module, shape)
