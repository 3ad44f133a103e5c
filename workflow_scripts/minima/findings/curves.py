"""Tools that figures share: the places of a grid, one panel each, and mean curves over seeds."""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import xarray as xr

from minima.findings.measures import shared
from minima.findings.stats import mean_interval
from minima.findings.words import label

SYMBOLS = {"scale": "σ = ", "depth": "H = "}  # in titles; other axes by name


def places(values: xr.DataArray, *but: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """`places` yields title and selection of every place of the grid without the dimensions `but`."""
    across = [str(dim) for dim in values.dims if dim not in but]
    for labels in product(*(values[dim].values.tolist() for dim in across)):
        place = dict(zip(across, labels, strict=True))
        yield ", ".join(SYMBOLS.get(dim, f"{dim} ") + label(value) for dim, value in place.items()), place


def means(values: xr.DataArray, x: str) -> list[tuple]:
    """`means` returns a curve over `x`: mean, 95 % interval and n, over the seeds that have a value.

    Another dimension would be pooled with the seeds and counted as n: it is refused.
    """
    if extra := set(values.dims) - {x, "seed"}:
        raise ValueError(f"a curve over {x} with an axis {', '.join(sorted(map(str, extra)))} in it")
    return [(at, *mean_interval(values.sel({x: at}).values)) for at in values[x].values.tolist()]


def same_networks(other: xr.Dataset, place: Mapping[str, Any]) -> bool:
    """`same_networks` returns whether another block trained the networks of this place, judged by the block's
    axes, and by the fields that all of its cells share where it has no such axis."""
    sections = shared(other).values()
    fields = {name: value for part in sections if isinstance(part, dict) for name, value in part.items()}
    return all(
        label in other[name].values if name in other.dims else fields.get(name, label) == label
        for name, label in place.items()
    )


def at_place(values: xr.DataArray, place: Mapping[str, Any]) -> xr.DataArray:
    """`at_place` returns another block's values at this place, selected along the axes that this block
    has."""
    return values.sel({name: label for name, label in place.items() if name in values.dims})
