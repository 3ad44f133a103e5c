"""What the kinds of network of the config share. Each is a module of `minima.engine.models`."""

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import Field, model_validator

from minima.forms import degree, laid_over
from minima.plan import parts
from minima.plan.files import training_rows
from minima.plan.options import LATER
from minima.plan.parts import Part
from minima.plan.recipes import recipe_of


class Size(NamedTuple):
    """`Size` is a network's parameters, those that a step moves, and per row the multiplications of a forward
    pass in training and of one in the network's own coordinates, and the numbers that a pass keeps."""

    parameters: float
    moving: float
    step_products: float
    products: float
    kept: float

    @classmethod
    def of(cls, parameters: float, products: float, kept: float) -> "Size":
        """`of` returns the size of a network that is trained as it is."""
        return cls(parameters, parameters, products, products, kept)


class NetworkBase(Part):
    """What the plan must know of a kind of network."""

    BY_LAYERS: ClassVar[bool] = False  # whether it is one of stacked layers, without biases
    OWN_START: ClassVar[bool] = False  # whether its module has an initialization of its own
    # What a block of such networks means where it says nothing.
    DEFAULTS: ClassVar[Mapping[str, Any]] = {
        "init": {"scheme": "kaiming"},
        "predict": [],
        "dtype": "float32",
    }

    @property
    def label(self) -> str:
        """`label` returns what a pack's name says of the network beside its kind."""
        return ""

    def size(self, shape: Sequence[int], outputs: int) -> Size:
        """`size` returns the size for rows of a shape: a guess here."""
        return Size.of(1e5, 1e5, 1e3)

    def size_in_training(self, cell: Mapping[str, Any], shape: Sequence[int], outputs: int) -> Size:
        """`size_in_training` returns the size in the coordinates in which a cell is trained."""
        return self.size(shape, outputs)

    def wide_kernel_needs(self) -> Iterator[str]:
        """`wide_kernel_needs` yields what the network lacks for the kernel of its infinitely wide limit to be
        known, and what it has instead."""
        yield f"network.kind: mlp, not {self.called()}"

    @classmethod
    def likeness(cls, options: Mapping[str, Any]) -> tuple[str, float, float]:
        """`likeness` returns a word, a width and a depth; networks that agree in these take about as many
        steps. `options` are plain values."""
        return f"{options['kind']} ", 256.0, 3.0

    @classmethod
    def shape_problem(cls, shape: Sequence[int]) -> str:
        """`shape_problem` returns why this kind cannot take rows of this shape; "" where it can."""
        return ""

    @classmethod
    def ties_points(cls, options: Mapping[str, Any]) -> str:
        """`ties_points` returns why f at one point depends on the other points of its batch, so that the
        network has no tangent kernel, and what to do; "" where each point stands for itself. `options` are
        plain values."""
        return ""

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        if not (reason := self.ties_points(cell["network"])):
            return
        optimizer = cell["optimizer"]
        if isinstance(optimizer.get("lr"), Mapping):
            yield f"optimizer.lr: in units of the tangent kernel: {reason}, or give a number"
        if isinstance(optimizer.get("momentum"), Mapping):
            yield f"optimizer.momentum: in units of the tangent kernel: {reason}, or give a number"
        if cell["record"]["spectrum"]:
            yield f"record.spectrum: {reason}"
        if optimizer["name"] == "flow":
            yield f"optimizer: flow: {reason}"


class Network(NetworkBase):
    """The options of torch modules: all kinds but mlp."""

    frozen: list[str] = Field(
        [],
        description="Layers and parameters that keep their initial values, by their names in the module.",
        json_schema_extra=LATER,
    )
    parametrization: Literal["standard", "ntk", "mup"] = Field(
        "standard",
        description="standard: as PyTorch has it; ntk: 1/√fan-in stands in the forward pass of linear and "
        "convolutional layers, not in their draw; mup: maximal updates, relative to the net of base width.",
        json_schema_extra=LATER,
    )
    base: dict[str, Any] | None = Field(
        None,
        description="Of mup: the options in which the net of base width differs.",
        json_schema_extra=LATER,
    )

    @model_validator(mode="after")
    def _mup_has_a_base(self) -> "Network":
        own = set(type(self).model_fields) - {"kind", "frozen", "parametrization", "base"}
        if (self.parametrization == "mup") != (self.base is not None):
            options = ", ".join(sorted(own))
            raise ValueError(
                f"parametrization: mup and base: {{option: value}} go together; options: {options}"
            )
        if self.base is not None:
            if other := sorted(set(self.base) - own):
                raise ValueError(f"base: {other[0]} is no option that changes a width")
            type(self).model_validate(laid_over(self.model_dump(), self.base | {"base": None, **_STANDARD}))
        return self

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        yield from super().impossible(cell)
        name = cell["optimizer"]["name"]
        if self.parametrization == "mup" and degree(name) is None:
            yield f"network.parametrization: mup: how rates change with the width is not known for {name}"


_STANDARD = {"parametrization": "standard"}
AnyNetwork = Annotated[Any, parts.OneOf("models", "kind", "mlp")]


class BatchNormalized(Network):
    """What kinds with batch normalization share."""

    batch_norm: bool | Literal["frozen"] = Field(
        True,
        description="Batch normalization behind every convolution; frozen: throughout with the statistics of "
        "the training points at the start.",
    )

    @classmethod
    def ties_points(cls, options: Mapping[str, Any]) -> str:
        if options["batch_norm"] is not True:
            return ""
        instead = "say batch_norm: frozen, which keeps the statistics of the start"
        return f"network.batch_norm: true ties the points of a batch together; {instead}"

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        yield from super().impossible(cell)
        if self.batch_norm is not True:
            return
        optimizer, rows = cell["optimizer"], training_rows(cell["data"])
        batch = optimizer.get("batch_size")
        if batch is None:
            yield "network.batch_norm: true needs mini-batches: give optimizer.batch_size"
        elif batch == 1:  # the variance of one row is 0
            yield "network.batch_norm: true needs an optimizer.batch_size of 2 or more, not 1"
        elif rows % batch == 1 and not optimizer.get("replacement", False):  # else all batches are full
            yield f"network.batch_norm: true: {rows} rows in batches of {batch} leave one of 1 row"


class ImageNetwork(BatchNormalized):
    """What convolutional kinds share."""

    SMALLEST: ClassVar[int] = 1  # height and width of an image

    @classmethod
    def shape_problem(cls, shape: Sequence[int]) -> str:
        kind, least = cls.called(), cls.SMALLEST
        if len(shape) != 3:
            what = f"{prod(shape)} numbers" if len(shape) == 1 else f"shape {tuple(shape)}"
            return f"network.kind: {kind} needs images, and the data are rows of {what}"
        if shape[2] <= 4 < shape[0]:
            return (
                f"network.kind: {kind} needs images as (channels, height, width), and {tuple(shape)} looks "
                "like (height, width, channels): put the last axis first"
            )
        if min(shape[1:]) < least:
            return (
                f"network.kind: {kind} needs images of {least}×{least} pixels or more, not {tuple(shape[1:])}"
            )
        return ""

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        yield from super().impossible(cell)
        recipe = recipe_of(cell["data"])
        if recipe.input_shape() is None and recipe.images() is False:
            yield f"network.kind: {self.called()} needs images, and {recipe.where()} has rows of numbers"


def known_wide_kernels() -> list[str]:
    """`known_wide_kernels` returns the activations whose infinitely wide kernels have a closed form."""
    folder = Path(__file__).parents[1] / "theory" / "activations"
    return sorted(path.stem for path in folder.glob("[a-z]*.py"))


def kind_of(network: Mapping[str, Any]) -> type[NetworkBase]:
    """`kind_of` returns the class of a network's kind, from plain values of its options."""
    return parts.declaration("models", network["kind"])


def is_two_linear_layers(network: Mapping[str, Any]) -> bool:
    """`is_two_linear_layers` returns whether a network, given as plain values, is that."""
    return network.get("activation") == "linear" and network.get("depth") == 2


def has_one_hidden_layer(network: Mapping[str, Any]) -> bool:
    """`has_one_hidden_layer` returns whether a network, given as plain values, is two stacked layers."""
    return kind_of(network).BY_LAYERS and network["depth"] == 2
