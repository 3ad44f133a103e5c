"""Functions of a block, by name: trained networks' and predicted ones, and what is asked of two of them.

A *function* is named by a mapping: `source`, which is `trained` or a predictor's name, and a place along the
block's axes, as {source: linearized_trained, optimizer: adagrad}. Functions of runs that did not converge
are missing. Distances are in function space: root mean square over test points and outputs.
"""

from collections.abc import Mapping
from typing import Any

import xarray as xr

from minima.findings.measures import rms
from minima.findings.samples import Selection, at, node_of, per_seed
from minima.findings.stats import Sample

Function = Mapping[str, Any]
Pair = tuple[Function, Function]


def function_at(tree: xr.DataTree, block: str, function: Function, select: Selection = None) -> xr.DataArray:
    """`function_at` returns f on the test points, NaN where f did not converge; the place of f is no longer
    among the coordinates."""
    place = {**(select or {}), **function}
    source = place.pop("source", "trained")
    if source == "trained":
        trained = node_of(tree, "trained", block, place)
        found = trained.test.where(trained.status == "converged")
    else:
        found = at(node_of(tree, "predicted", block, place), block, "predictor", source).test
    return found.drop_vars([name for name in found.coords if name not in found.dims])


def difference(tree: xr.DataTree, block: str, pair: Pair, select: Selection = None) -> xr.DataArray:
    """`difference` returns f − g of a pair of functions."""
    f, g = (function_at(tree, block, function, select) for function in pair)
    return f - g


def gap(tree: xr.DataTree, block: str, pair: Pair, select: Selection = None) -> xr.DataArray:
    """`gap` returns ‖f − g‖ of a pair of functions."""
    return rms(difference(tree, block, pair, select))


def relative_gap(tree: xr.DataTree, block: str, pair: Pair, select: Selection = None) -> xr.DataArray:
    """`relative_gap` returns ‖f − g‖/‖g‖ of a pair of functions."""
    return gap(tree, block, pair, select) / rms(function_at(tree, block, pair[1], select))


def cosines(tree: xr.DataTree, block: str, of: Pair, to: Pair, select: Selection = None) -> xr.DataArray:
    """`cosines` returns the cosine between the differences f − g of two pairs, over points and outputs."""
    one, other = (difference(tree, block, pair, select) for pair in (of, to))
    return (one * other).mean(("point", "output"), skipna=False) / (rms(one) * rms(other))


def known(values: xr.DataArray) -> Sample:
    """`known` returns the sample of the seeds that have a value."""
    return per_seed(values, values.notnull())
