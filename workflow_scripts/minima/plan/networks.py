"""The networks of the config: fields, defaults and bounds, and what the plan must know of each kind. How each
computes is its module of `minima.engine.models`, of the same name."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import prod
from typing import Annotated, Any, Literal

from pydantic import Field, Tag, model_validator

from minima.plan.options import Options, tagged


class FullyConnected(Options):
    """A fully connected net without biases."""

    kind: Literal["mlp"] = Field("mlp", description="Fully connected, without biases.")
    depth: int = Field(2, ge=2, le=100, description="Number of weight matrices.")
    width: int = Field(256, ge=1, description="Units of each hidden layer.")
    activation: Literal["relu", "erf", "tanh", "linear"] = Field("relu", description="Nonlinearity.")
    parametrization: Literal["ntk", "standard", "none"] = Field(
        "ntk",
        description="Where 1/√fan-in stands: in the forward pass (ntk), in the draw (standard) or nowhere.",
    )
    frozen: list[Annotated[int, Field(ge=1)]] = Field(
        [], description="Layers that keep their initial weights, counted from 1."
    )

    @model_validator(mode="after")
    def _some_layer_is_trained(self) -> "FullyConnected":
        if unknown := [layer for layer in self.frozen if layer > self.depth]:
            raise ValueError(f"frozen names layer {unknown[0]} of {self.depth}")
        if len(set(self.frozen)) == self.depth:
            raise ValueError("frozen names every layer: nothing is left to train")
        return self


class Dense(Options):
    """A fully connected ReLU net with biases, as PyTorch has it."""

    kind: Literal["dense"] = Field(description="Fully connected, with biases.")
    hidden: list[Annotated[int, Field(ge=1)]] = Field(
        [100, 100], min_length=1, description="Units of each hidden layer."
    )


BATCH_NORM = Field(False, description="Batch normalization behind every convolution.")


class Cnn(Options):
    """A small convolutional net: three 3×3 convolutions, pooling behind the second and the third, two dense
    layers."""

    kind: Literal["cnn"] = Field(description="Small convolutional net.")
    channels: list[Annotated[int, Field(ge=1)]] = Field(
        [16, 32, 32], min_length=3, max_length=3, description="Channels of the three convolutions."
    )
    hidden: int = Field(256, ge=1, description="Units of the hidden dense layer.")
    batch_norm: bool = BATCH_NORM


class Resnet18(Options):
    """ResNet18 for small images: its first convolution is 3×3 and nothing is pooled before the blocks."""

    kind: Literal["resnet18"] = Field(description="ResNet18 for small images.")
    batch_norm: bool = Field(True, description="Batch normalization behind every convolution.")


class Vgg16(Options):
    """VGG16 for small images: thirteen convolutions and one dense layer; an image of one pixel is not pooled
    any further."""

    kind: Literal["vgg16"] = Field(description="VGG16 for small images.")
    batch_norm: bool = Field(True, description="Batch normalization behind every convolution.")


Network = Annotated[
    Annotated[FullyConnected, Tag("mlp")]
    | Annotated[Dense, Tag("dense")]
    | Annotated[Cnn, Tag("cnn")]
    | Annotated[Resnet18, Tag("resnet18")]
    | Annotated[Vgg16, Tag("vgg16")],
    tagged("kind", "mlp"),
]

# Kinds that are torch modules: trained by autograd, with biases, without a structured tangent kernel.
MODULES = ("dense", "cnn", "resnet18", "vgg16")
SMALLEST_IMAGE = {"cnn": 4, "resnet18": 1, "vgg16": 1}  # height and width; other kinds take any row
# What a block of such networks means where it says nothing.
MODULE_DEFAULTS: dict[str, Any] = {"init": {"scheme": "kaiming"}, "predict": [], "dtype": "float32"}

# Multiplications of a forward pass per pixel and parameters, for the cost: counted at 32×32 with 10 classes.
_PER_PIXEL = {"resnet18": 5.4e5, "vgg16": 3.1e5}
_PARAMETERS = {"resnet18": 11.2e6, "vgg16": 14.7e6}


def shape_problem(kind: str, shape: Sequence[int]) -> str:
    """`shape_problem` returns why this kind cannot take rows of this shape; "" where it can."""
    least = SMALLEST_IMAGE.get(kind)
    if least is None:
        return ""
    if len(shape) != 3:
        what = f"{prod(shape)} numbers" if len(shape) == 1 else f"shape {tuple(shape)}"
        return f"network.kind: {kind} needs images, and the data are rows of {what}"
    if shape[2] <= 4 < shape[0]:
        return (
            f"network.kind: {kind} needs images as (channels, height, width), and {tuple(shape)} looks like "
            "(height, width, channels): put the last axis first"
        )
    if min(shape[1:]) < least:
        return f"network.kind: {kind} needs images of {least}×{least} pixels or more, not {tuple(shape[1:])}"
    return ""


def layer_sizes(network: Mapping[str, Any], features: int, outputs: int) -> list[int]:
    """`layer_sizes` returns inputs, hidden units and outputs of a fully connected net."""
    hidden = [network["width"]] * (network["depth"] - 1) if network["kind"] == "mlp" else network["hidden"]
    return [features, *hidden, outputs]


def size_of(network: Mapping[str, Any], shape: Sequence[int], outputs: int) -> tuple[float, float, float]:
    """`size_of` returns a network's parameters and, per row, the multiplications of a forward pass and the
    numbers that the pass keeps."""
    kind, features = network["kind"], prod(shape)
    if kind in ("mlp", "dense"):
        sizes = layer_sizes(network, features, outputs)
        parameters = sum(a * b for a, b in pairwise(sizes))
        return parameters, parameters, sum(sizes)
    pixels = features / shape[0]
    if kind == "cnn":
        kernels = list(_kernels([shape[0], *network["channels"]]))
        dense = network["channels"][2] * pixels / 16 * network["hidden"] + network["hidden"] * outputs
        per_row = sum(k * pixels / part for k, part in zip(kernels, (1, 1, 4), strict=True)) + dense
        return sum(kernels) + dense, per_row, 2 * pixels * sum(network["channels"])
    return _PARAMETERS[kind], _PER_PIXEL[kind] * pixels, 1500 * pixels


def _kernels(channels: Sequence[int]) -> Iterator[int]:
    for into, out in pairwise(channels):
        yield 9 * into * out
