"""Combinations of sections that are valid alone and impossible together."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any

from minima.plan import parts
from minima.plan.digest import canonical
from minima.plan.networks import kind_of
from minima.plan.recipes import recipe_of
from minima.plan.sections import Section, shared

# The sections that the rules look at.
LOOKED_AT = ("augment", "data", "init", "loss", "network", "optimizer", "predict", "record", "stop")


def impossible(variants: Mapping[str, list[Section]]) -> list[str]:
    """`impossible` returns why some combinations of these sections are impossible, each reason once."""
    combinations = product(*(_different(variants[name]) for name in LOOKED_AT))
    return list(dict.fromkeys(reason for sections in combinations for reason in _reasons(sections)))


def _different(sections: list[Section]) -> list[Section]:
    """`_different` returns one of each set of sections that differ in plain numbers of single networks alone:
    a grid over a thousand scales is one combination."""
    return list({canonical(shared(one.model, one.values, float)): one for one in sections}.values())


def _reasons(sections: Sequence[Section]) -> Iterator[str]:
    cell = {name: section.values for name, section in zip(LOOKED_AT, sections, strict=True)}
    for part in _parts(sections, cell):
        yield from part.impossible(cell)
    yield from _others(cell)


def _parts(sections: Sequence[Section], cell: Mapping[str, Any]) -> Iterator[parts.Part]:
    """`_parts` yields the parts that a cell is made of."""
    for section in sections:
        if isinstance(section.model, parts.Part):
            yield section.model
            yield from (inner for _, inner in section.model if isinstance(inner, parts.Part))
    named = {"losses": [cell["loss"]], "probes": cell["record"]["probes"], "predictors": cell["predict"]}
    yield from (parts.mark(kind, name) for kind, names in named.items() for name in names)


def _others(cell: Mapping[str, Any]) -> Iterator[str]:
    """`_others` yields why sections that are no parts do not go with the rest."""
    augment, loss = cell["augment"], cell["loss"]
    if (augment["shift"] or augment["flip"]) and cell["optimizer"].get("batch_size") is None:
        yield "augment needs mini-batches: give optimizer.batch_size"
    if shape := recipe_of(cell["data"]).input_shape():
        yield from misfits(shape, cell)
    if cell["record"]["spectrum"] and loss != "mse":
        yield f"record.spectrum is about loss: mse, not {loss}"


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
