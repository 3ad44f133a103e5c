"""Combinations of sections that are valid alone and impossible together."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any, Protocol

from pydantic import BaseModel

from minima.forms import moving_units
from minima.plan import parts
from minima.plan.digest import canonical
from minima.plan.files import training_rows
from minima.plan.networks import MODULES, SMALLEST_IMAGE, shape_problem
from minima.plan.recipes import output_count, row_shape

# The sections that the rules look at.
LOOKED_AT = ("augment", "data", "init", "loss", "network", "optimizer", "predict", "record")
KNOWN_FLOWS = ("adagrad", "rmsprop", "adam", "adamw")  # adaptive methods whose flow at small steps is known
MLP_PROBES = ("decay", "flips", "kernel_extremes", "sharpness")
TWO_LINEAR_LAYERS = {
    "init.scheme": ("bartlett", "balanced", "invariant", "half_invariant"),
    "record.probes": ("imbalance", "rate_bounds", "unseen"),
}


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
    yield from _others(**cell)


def _parts(sections: Sequence[Section]) -> Iterator[parts.Part]:
    """`_parts` yields the parts that a cell is made of."""
    for section in sections:
        if isinstance(section.model, parts.Part):
            yield section.model
            yield from (inner for _, inner in section.model if isinstance(inner, parts.Part))


def _others(
    augment: Mapping[str, Any],
    data: Mapping[str, Any],
    init: Mapping[str, Any],
    loss: str,
    network: Mapping[str, Any],
    optimizer: Mapping[str, Any],
    predict: list[str],
    record: Mapping[str, Any],
) -> Iterator[str]:
    yield from _reasons_of_linear_nets(data, init, network, record)
    batch = optimizer.get("batch_size")
    if network["kind"] in MODULES:
        yield from _reasons_of_modules(data, init, network, optimizer, predict, record)
    elif (drawn := init.get("draw", init["scheme"])) in ("kaiming", "torch_default"):
        yield f"init: {drawn} is for kinds of network other than mlp"
    if (augment["shift"] or augment["flip"]) and batch is None:
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
    if init["scheme"] == "centred":
        yield f"init.scheme: centred needs loss: mse, not {loss}"
    if predict:
        yield f"predict: {', '.join(predict)} is about loss: mse; with {loss} say predict: []"
    if record["spectrum"]:
        yield f"record.spectrum is about loss: mse, not {loss}"


def misfits(shape: Sequence[int], cell: Mapping[str, Any]) -> Iterator[str]:
    """`misfits` yields why rows of this shape do not go with sections of a cell. Where only the user's file
    knows the shape, the job that prepares the data asks."""
    augment = cell["augment"]
    if problem := shape_problem(cell["network"]["kind"], shape):
        yield problem
    if (augment["shift"] or augment["flip"]) and len(shape) != 3:
        yield f"augment needs images, and the data are rows of {prod(shape)} numbers"
    if cell["record"]["plane"] is not None and tuple(shape) != (2,):
        yield f"record.plane needs rows of 2 numbers, not {prod(shape)}"


def _reasons_of_modules(
    data: Mapping[str, Any],
    init: Mapping[str, Any],
    network: Mapping[str, Any],
    optimizer: Mapping[str, Any],
    predict: list[str],
    record: Mapping[str, Any],
) -> Iterator[str]:
    """`_reasons_of_modules` refuses, for torch modules, options that need the tangent kernel by layers, and
    options that the kind of network cannot have."""
    kind, batch = network["kind"], optimizer.get("batch_size")
    if kind in SMALLEST_IMAGE and data.get("path", "").endswith(".csv"):
        yield f"network.kind: {kind} needs images, and a .csv file has rows of numbers"
    if (drawn := init.get("draw", init["scheme"])) not in ("kaiming", "torch_default", "pretrained"):
        yield f"init: {drawn} is for network.kind: mlp; {kind} has kaiming and torch_default"
    if predict:
        yield f"predict: {', '.join(predict)} needs network.kind: mlp; with {kind} say predict: []"
    if isinstance(optimizer.get("lr"), Mapping):
        yield f"optimizer.lr: the stability edge is known for network.kind: mlp; with {kind} give a number"
    if isinstance(optimizer.get("momentum"), Mapping):
        yield f"optimizer.momentum: damping needs network.kind: mlp; with {kind} give a number"
    if record["spectrum"]:
        yield f"record.spectrum needs network.kind: mlp, not {kind}"
    if optimizer["name"] == "flow":
        yield f"optimizer: flow integrates network.kind: mlp, not {kind}"
    if probes := [probe for probe in record["probes"] if probe in MLP_PROBES]:
        yield f"record.probes: {', '.join(probes)} needs network.kind: mlp, not {kind}"
    if network.get("batch_norm"):
        yield from _reasons_of_batch_norm(batch, training_rows(data), optimizer.get("replacement", False))


def _reasons_of_batch_norm(batch: int | None, rows: int, replacement: bool) -> Iterator[str]:
    """`_reasons_of_batch_norm` refuses batches of one row, whose variance is 0. Batches drawn with
    replacement are all full."""
    if batch is None:
        yield "network.batch_norm: true needs mini-batches: give optimizer.batch_size"
    elif batch == 1:
        yield "network.batch_norm: true needs an optimizer.batch_size of 2 or more, not 1"
    elif rows % batch == 1 and not replacement:
        yield f"network.batch_norm: true: {rows} rows in batches of {batch} leave one of 1 row"


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


def _reasons_of_linear_nets(
    data: Mapping[str, Any], init: Mapping[str, Any], network: Mapping[str, Any], record: Mapping[str, Any]
) -> Iterator[str]:
    """`_reasons_of_linear_nets` refuses options that are defined for two linear layers only, and scales of
    layers whose number does not fit the depth."""
    scales = init.get("layer_scales")
    if scales is not None and len(scales) != network["depth"]:
        yield f"init.layer_scales has {len(scales)} numbers for {network['depth']} layers"
    asked = {"init.scheme": [init["scheme"]], "record.probes": record["probes"]}
    if network.get("activation") != "linear" or network.get("depth") != 2:
        for field, names in asked.items():
            for name in names:
                if name in TWO_LINEAR_LAYERS[field]:
                    yield f"{field}: {name} is for two linear layers: activation: linear, depth: 2"
        return
    if init["scheme"] != "bartlett":
        return
    if network["parametrization"] == "ntk":
        yield "init.scheme: bartlett needs parametrization: none or standard, not ntk"
    rows = training_rows(data)
    least = moving_units(rows, prod(row_shape(data) or (rows,)), output_count(data))
    if network["width"] < least:
        reason = "outputs and the lesser of training rows and features"
        yield f"init.scheme: bartlett needs a width of {least}, {reason}; use gaussian below"
