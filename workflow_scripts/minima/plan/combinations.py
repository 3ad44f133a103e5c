"""Combinations of sections that are valid alone and impossible together."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any, Protocol

from pydantic import BaseModel

from minima.plan import parts
from minima.plan.digest import canonical
from minima.plan.networks import is_two_linear_layers, kind_of
from minima.plan.recipes import row_shape

# The sections that the rules look at.
LOOKED_AT = ("augment", "data", "init", "loss", "network", "optimizer", "predict", "record")
KNOWN_FLOWS = ("adagrad", "rmsprop", "adam", "adamw")  # adaptive methods whose flow at small steps is known
MLP_PROBES = ("decay", "flips", "kernel_extremes", "sharpness")
PROBES_OF_LINEAR_NETS = ("imbalance", "rate_bounds", "unseen")


class Section(Protocol):
    """`Section` is what is seen of one: the validated options, and these as plain values."""

    model: Any
    values: Any


def impossible(variants: Mapping[str, list[Section]]) -> list[str]:
    """`impossible` returns why some combinations of these sections are impossible, each reason once."""
    combinations = product(*(_different(variants[name]) for name in LOOKED_AT))
    return list(dict.fromkeys(reason for sections in combinations for reason in _reasons(sections)))


def _different(sections: list[Section]) -> list[Section]:
    """`_different` returns one of each set of sections that differ in plain numbers of single networks alone:
    a grid over a thousand scales is one combination."""
    return list({canonical(_without_numbers(one.model, one.values)): one for one in sections}.values())


def _without_numbers(model: Any, values: Any) -> Any:
    if not isinstance(model, BaseModel):
        return values
    fields = {field.alias or name: (name, field) for name, field in type(model).model_fields.items()}
    return {
        key: None
        if isinstance(value, float) and (fields[key][1].json_schema_extra or {}).get("varies")
        else _without_numbers(getattr(model, fields[key][0]), value)
        for key, value in values.items()
    }


def _reasons(sections: Sequence[Section]) -> Iterator[str]:
    cell = {name: section.values for name, section in zip(LOOKED_AT, sections, strict=True)}
    for part in _parts(sections):
        yield from part.impossible(cell)
    yield from _others(**{name: cell[name] for name in cell if name != "init"})


def _parts(sections: Sequence[Section]) -> Iterator[parts.Part]:
    """`_parts` yields the parts that a cell is made of."""
    for section in sections:
        if isinstance(section.model, parts.Part):
            yield section.model
            yield from (inner for _, inner in section.model if isinstance(inner, parts.Part))


def _others(
    augment: Mapping[str, Any],
    data: Mapping[str, Any],
    loss: str,
    network: Mapping[str, Any],
    optimizer: Mapping[str, Any],
    predict: list[str],
    record: Mapping[str, Any],
) -> Iterator[str]:
    yield from _reasons_of_marks(network, predict, record)
    if (augment["shift"] or augment["flip"]) and optimizer.get("batch_size") is None:
        yield "augment needs mini-batches: give optimizer.batch_size"
    if shape := row_shape(data):
        yield from misfits(shape, {"augment": augment, "network": network, "record": record})
    if optimizer["name"] == "flow" and "test_accuracy" in record["probes"]:
        yield "record.probes: test_accuracy goes with every optimizer but flow"
    labels = {"cross_entropy": "onehot", "logistic": "sign"}.get(loss)
    if labels and data["labels"] != labels:
        yield f"loss: {loss} needs data with labels: {labels}, not {data['labels']}"
    yield from _reasons_of_flows(optimizer, predict)
    if loss == "mse":
        return
    if predict:
        yield f"predict: {', '.join(predict)} is about loss: mse; with {loss} say predict: []"
    if record["spectrum"]:
        yield f"record.spectrum is about loss: mse, not {loss}"


def _reasons_of_marks(
    network: Mapping[str, Any], predict: list[str], record: Mapping[str, Any]
) -> Iterator[str]:
    """`_reasons_of_marks` refuses predictors and probes of what a network does not have."""
    kind = network["kind"]
    if not kind_of(network).BY_LAYERS:
        if predict:
            yield f"predict: {', '.join(predict)} needs network.kind: mlp; with {kind} say predict: []"
        if probes := [probe for probe in record["probes"] if probe in MLP_PROBES]:
            yield f"record.probes: {', '.join(probes)} needs network.kind: mlp, not {kind}"
    for name in record["probes"]:
        if name in PROBES_OF_LINEAR_NETS and not is_two_linear_layers(network):
            yield f"record.probes: {name} is for two linear layers: activation: linear, depth: 2"


def misfits(shape: Sequence[int], cell: Mapping[str, Any]) -> Iterator[str]:
    """`misfits` yields why rows of this shape do not go with sections of a cell. Where only the user's file
    knows the shape, the job that prepares the data asks."""
    augment = cell["augment"]
    if problem := kind_of(cell["network"]).shape_problem(shape):
        yield problem
    if (augment["shift"] or augment["flip"]) and len(shape) != 3:
        yield f"augment needs images, and the data are rows of {prod(shape)} numbers"
    if cell["record"]["plane"] is not None and tuple(shape) != (2,):
        yield f"record.plane needs rows of 2 numbers, not {prod(shape)}"


def _reasons_of_flows(optimizer: Mapping[str, Any], predict: list[str]) -> Iterator[str]:
    """`_reasons_of_flows` refuses flows of adaptive methods for which no limit is derived."""
    name, flows = optimizer["name"], {"adaptive_flow", "relinearized_flow"} & set(predict)
    if "relinearized_flow" in flows and name not in KNOWN_FLOWS:
        yield f"predict: relinearized_flow is about {', '.join(KNOWN_FLOWS)}, not {name}"
    if not flows or name not in KNOWN_FLOWS:
        return
    if optimizer["schedule"]["kind"] != "constant":
        yield f"predict: {min(flows)} of {name} is known for schedule: constant alone"
    if optimizer["weight_decay"]["strength"]:
        yield f"predict: {min(flows)} of {name} is known without weight_decay alone"
