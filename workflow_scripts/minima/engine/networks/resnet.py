"""ResNet18 (arXiv:1512.03385) for small images: the first convolution is 3×3 with stride 1, and nothing is
pooled before the blocks."""

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from minima.engine.networks.entries import chain, norm
from minima.engine.networks.module import ModuleNet

STAGES = ((64, 1), (128, 2), (256, 2), (512, 2))  # channels and stride of the first of two blocks


class Block(nn.Module):
    """relu(conv – conv + shortcut)."""

    def __init__(self, into: int, out: int, stride: int, batch_norm: bool) -> None:
        super().__init__()
        first, second = convolution(into, out, 3, stride, batch_norm), convolution(out, out, 3, 1, batch_norm)
        self.path = nn.Sequential(*first, nn.ReLU(), *second)
        changed = stride != 1 or into != out
        self.shortcut = nn.Sequential(*(convolution(into, out, 1, stride, batch_norm) if changed else []))

    def forward(self, x: Tensor) -> Tensor:
        return relu(self.path(x) + self.shortcut(x))


def convolution(into: int, out: int, size: int, stride: int, batch_norm: bool) -> list[nn.Module]:
    """A convolution; its bias is that of batch normalization where there is one."""
    kernel = nn.Conv2d(into, out, size, stride, padding=size // 2, bias=not batch_norm)
    return [kernel, *norm(out, batch_norm)]


def resnet18(shape: tuple[int, ...], outputs: int, batch_norm: bool) -> ModuleNet:
    """`resnet18` returns the net for images of this shape."""
    with torch.device("meta"):
        layers = [*convolution(shape[0], 64, 3, 1, batch_norm), nn.ReLU()]
        into = 64
        for out, stride in STAGES:
            layers += [Block(into, out, stride, batch_norm), Block(out, out, 1, batch_norm)]
            into = out
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(into, outputs)]
        return ModuleNet(chain(layers), shape, channels_last=True)
