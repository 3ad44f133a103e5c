"""What the initializations of the config share. Each is a module of `minima.engine.inits`."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from minima.forms import drawing_scheme
from minima.plan import parts
from minima.plan.mistakes import unknown
from minima.plan.networks import is_two_linear_layers, kind_of
from minima.plan.options import LATER, NAME_PATTERN, VARIES
from minima.plan.parts import Part

Factor = Annotated[float, Field(gt=0, le=1e6)]
LayerScales = list[Factor] | dict[str, Factor]


def _draws(scheme: str) -> str:
    plain = {"scheme", *LayerInit.model_fields, *ModuleInit.model_fields}
    inits = parts.options("inits").items()
    known = [name for name, init in inits if _needed(init) <= plain and is_whole(name)]
    if scheme not in known:
        raise ValueError(unknown(scheme, known, "no scheme that draws"))
    return scheme


def _needed(init: type[Part]) -> set[str]:
    """`_needed` returns the options that have no default, as where a start looks for another cell, and those
    that say who draws."""
    return {name for name, field in init.model_fields.items() if field.is_required() or name == "draw"}


Drawing = Annotated[str, AfterValidator(_draws)]


class Init(Part):
    """What the plan must know of an initialization."""

    BEGINS: ClassVar[str] = "drawn"  # networks that begin alike take about as many steps

    @classmethod
    def not_for(cls, network: Mapping[str, Any]) -> str:
        """`not_for` returns why networks of this kind, given as plain values, cannot start so, or ""."""
        return ""

    def drawn(self, parameters: float, rows: int, features: int, outputs: int) -> float:
        """`drawn` returns how many numbers are drawn for a network of so many parameters."""
        return parameters

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        if reason := self.not_for(cell["network"]):
            yield reason


AnyInit = Annotated[Any, parts.OneOf("inits", "scheme", "gaussian")]


class LayerInit(Init):
    """How a fully connected net without biases starts."""

    output: Literal["gaussian", "sign"] = Field(
        "gaussian", description="Last layer: normal, or ±1 of the same standard deviation (often frozen)."
    )
    scale: Factor = Field(1.0, description="σ: multiplies all weights.", json_schema_extra=VARIES)
    layer_scales: list[Factor] | None = Field(
        None, description="A factor of its own for the weights of each layer.", json_schema_extra=VARIES
    )
    width_power: float = Field(
        0.0, ge=0, le=2, description="α: multiplies all weights by width^−α.", json_schema_extra=VARIES
    )
    flip: bool = Field(
        False, description="Negate the last layer: the antithetic twin, f₀ → −f₀.", json_schema_extra=VARIES
    )

    @classmethod
    def not_for(cls, network: Mapping[str, Any]) -> str:
        if kind_of(network).BY_LAYERS:
            return ""
        others = [
            name
            for name, init in parts.options("inits").items()
            if issubclass(init, ModuleInit) and not init.not_for(network)
        ]
        return f"init: {cls.called()} is for network.kind: mlp; {network['kind']} has {' and '.join(others)}"

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        yield from super().impossible(cell)
        depth = cell["network"].get("depth")
        if self.layer_scales is not None and depth and len(self.layer_scales) != depth:
            yield f"init.layer_scales has {len(self.layer_scales)} numbers for {depth} layers"


class ChangedInit(LayerInit):
    """Another function than the network's own is trained; another scheme draws the weights."""

    draw: Drawing | None = Field(
        None,
        description="The scheme that draws; null: gaussian of mlp, own of module, kaiming of others.",
        json_schema_extra=LATER,
    )
    layer_scales: LayerScales | None = Field(
        None, description="A factor of its own for what is drawn of each layer.", json_schema_extra=VARIES
    )

    @classmethod
    def not_for(cls, network: Mapping[str, Any]) -> str:
        return ""

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        by_layers, kind = kind_of(cell["network"]).BY_LAYERS, cell["network"]["kind"]
        yield from impossible_draw(drawing_scheme(cell["network"], cell["init"]), cell)
        if by_layers and isinstance(self.layer_scales, dict):
            yield "init.layer_scales is a list for network.kind: mlp, whose layers have no names"
        elif by_layers:
            yield from super().impossible(cell)
        elif others := {"output", "width_power"} & _changed(self):
            yield f"init.{' and '.join(sorted(others))}: for network.kind: mlp, not {kind}"


def impossible_draw(scheme: str, cell: Mapping[str, Any]) -> Iterator[str]:
    """`impossible_draw` yields why a scheme cannot draw the weights of a cell that starts otherwise."""
    yield from parts.declaration("inits", scheme)().impossible(cell)


def _changed(options: Part) -> set[str]:
    """`_changed` returns the options that have another value than their default."""
    fields = type(options).model_fields
    return {name for name, field in fields.items() if getattr(options, name) != field.default}


class LinearInit(LayerInit):
    """How two linear layers start."""

    @classmethod
    def not_for(cls, network: Mapping[str, Any]) -> str:
        needs = f"init.scheme: {cls.called()} is for two linear layers: activation: linear, depth: 2"
        return super().not_for(network) or ("" if is_two_linear_layers(network) else needs)


class BuiltLinearInit(LinearInit):
    """How two linear layers start that are built of few directions, a and b the sizes of their layers: what
    the layers' entries would have as standard deviation, so `layer_scales: [a, b]`."""

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        yield from super().impossible(cell)
        if self.output != "gaussian":
            yield f"init.output: {self.called()} has no entries that are drawn one by one: leave it out"


class ModuleInit(Init):
    """How torch modules start: all kinds but mlp."""

    scale: Factor = Field(
        1.0,
        description="σ: multiplies all weights and biases except those of normalizations.",
        json_schema_extra=VARIES,
    )
    layer_scales: LayerScales | None = Field(
        None,
        description="A factor of its own for each layer that is drawn: layer → factor, or a list in order.",
        json_schema_extra=VARIES | LATER,
    )
    flip: bool = Field(
        False,
        description="Negate the last layer, weights and biases: the antithetic twin, f₀ → −f₀.",
        json_schema_extra=VARIES | LATER,
    )

    @classmethod
    def not_for(cls, network: Mapping[str, Any]) -> str:
        by_layers = kind_of(network).BY_LAYERS
        return f"init: {cls.called()} is for kinds of network other than mlp" if by_layers else ""


class StartingInit(Init):
    """A start that looks at a trained cell of another block of the study, of the same seed."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True)

    block: Annotated[str, StringConstraints(pattern=NAME_PATTERN)] = Field(
        alias="from", description="The block that was trained before, with keep_parameters."
    )
    select: dict[str, Any] = Field(
        {},
        description="Axis of that block → the label at which to start. An axis with one label may be left "
        "out, and so may an axis of network or data that has this cell's own value.",
    )


def is_whole(scheme: str) -> bool:
    """`is_whole` returns whether networks that start so are networks of their own: not a sum of copies, nor
    f − f₀."""
    init = parts.load("inits", scheme)
    return copies(scheme) == 1 and not getattr(init, "CENTRED", False)


def copies(scheme: str) -> int:
    """`copies` returns how many copies with weights of their own are one network."""
    return len(getattr(parts.load("inits", scheme), "READOUT", (1.0,)))
