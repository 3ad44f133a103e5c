"""Estimands of the study `adaptive` (arXiv:2011.02408): each returns a sample of one number per seed.

A *function* is named by a mapping: `source`, which is `trained` or a predictor's name, and a place along the
block's axes, as {source: linearized_trained, optimizer: adagrad}. Functions of runs that did not converge
are missing, and a seed counts only where all functions that are compared are there. Distances are in function
space: root mean square over test points and outputs.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from minima.findings.measures import half_difference, rms
from minima.findings.samples import Selection, at, node_of, per_seed, slopes
from minima.findings.stats import NotEstimable, Sample

Function = Mapping[str, Any]
Pair = tuple[Function, Function]


def distance(tree: xr.DataTree, block: str, between: Pair, select: Selection = None) -> Sample:
    """`distance` returns ‖f − g‖/‖g‖."""
    f, g = (_function(tree, block, function, select) for function in between)
    return _known(rms(f - g) / rms(g))


def ratio(tree: xr.DataTree, block: str, of: Pair, over: Pair, select: Selection = None) -> Sample:
    """`ratio` returns ‖f − g‖ of one pair of functions over that of another pair."""
    return _known(_gap(tree, block, of, select) / _gap(tree, block, over, select))


def resolved(
    tree: xr.DataTree, block: str, between: Pair, own: tuple[Function, Function], select: Selection = None
) -> Sample:
    """`resolved` returns ‖f − g‖ over the larger of ‖f − f'‖ and ‖g − g'‖, f' and g' the `own` predictions.

    Two networks with one limit, f' = g', and errors at right angles, as independent errors nearly are, would
    give at most √2.
    """
    errors = [_gap(tree, block, pair, select) for pair in zip(between, own, strict=True)]
    return _known(_gap(tree, block, between, select) / np.maximum(*errors))


def cosine(tree: xr.DataTree, block: str, of: Pair, to: Pair, width: Any = None) -> Sample:
    """`cosine` returns the cosine between the differences f − g of two pairs, over points and outputs, at
    one width or at the least of several (`_at_width`)."""
    one, other = (_function(tree, block, f, None) - _function(tree, block, g, None) for f, g in (of, to))
    product = (one * other).mean(("point", "output"), skipna=False)
    return _known(_at_width(product / (rms(one) * rms(other)), width))


def explained(
    tree: xr.DataTree, block: str, by: str, target: str = "adagrad_flow", select: Selection = None
) -> Sample:
    """`explained` returns 1 − ‖p − a‖/‖g − a‖: how much of the way from the linearized limit g of gradient
    descent to the function a, whose source is `target`, the prediction p covers."""
    p, g, a = (_function(tree, block, {"source": s}, select) for s in (by, "linearized", target))
    return _known(1 - rms(p - a) / rms(g - a))


def slope_in_step(
    tree: xr.DataTree,
    block: str,
    of: str = "linearized_trained",
    to: str = "adagrad_flow",
    steps: Sequence[float] | None = None,
    select: Selection = None,
) -> Sample:
    """`slope_in_step` returns the log-log slope of ‖f − g‖/‖g‖ against the step size, over all step sizes or
    over `steps`; a seed counts only where f converged at each of them."""
    f, g = (_function(tree, block, {"source": source}, select) for source in (of, to))
    curves = rms(f - g) / rms(g)
    if steps is not None:
        curves = at(curves.to_dataset(name="curves"), block, "lr", list(steps)).curves
    return slopes(curves, curves.notnull().all("lr"), "lr")


def longer(tree: xr.DataTree, block: str, than: Function, of: Function) -> Sample:
    """`longer` returns ‖θ − θ₀‖ of one minimizer over that of another."""
    return _known(_length(tree, block, of) / _length(tree, block, than))


def pythagoras(tree: xr.DataTree, block: str, source: str, select: Selection = None) -> Sample:
    """`pythagoras` returns |‖u‖² − ‖u_GD‖² − ‖u_⊥‖²|/‖u‖² of a predicted u with e = 0 at its end.

    u_GD = JᵀΘ⁻¹e₀ is gradient descent's solution by its own closed form, and u_⊥ is the part of u at right
    angles to the rows of J.
    """
    node = node_of(tree, "predicted", block, select)
    found, descent = (at(node, block, "predictor", name) for name in (source, "linearized"))
    known = found.test.notnull().all(("point", "output"))
    left = abs(found.length**2 - descent.length**2 - found.across**2) / found.length**2
    return _known(left.where(known).drop_vars("predictor"))


def share_growth(tree: xr.DataTree, block: str, scales: tuple[float, float], width: Any) -> Sample:
    """`share_growth` returns the log of the initialization's share ‖(f₊ − f₋)/2‖ at the second σ over the
    share at the first, at one width or at the least of several (`_at_width`)."""
    trained = node_of(tree, "trained", block, None, scales)
    share = np.log(rms(half_difference(trained.test.where(trained.status == "converged"))))
    return _known(_at_width(share.sel(scale=scales[1]) - share.sel(scale=scales[0]), width))


def error_growth(tree: xr.DataTree, block: str, scales: tuple[float, float], width: Any) -> Sample:
    """`error_growth` returns the test MSE at the second σ minus that at the first, means over both twins, at
    one width or at the least of several (`_at_width`)."""
    trained = node_of(tree, "trained", block, None, scales)
    error = trained.test_mse.where(trained.status == "converged").mean("flip", skipna=False)
    return _known(_at_width(error.sel(scale=scales[1]) - error.sel(scale=scales[0]), width))


def _function(tree: xr.DataTree, block: str, function: Function, select: Selection) -> xr.DataArray:
    """`_function` returns f on the test points, NaN where f did not converge; the place of f is no longer
    among the coordinates."""
    place = {**(select or {}), **function}
    source = place.pop("source", "trained")
    if source == "trained":
        trained = node_of(tree, "trained", block, place)
        found = trained.test.where(trained.status == "converged")
    else:
        found = at(node_of(tree, "predicted", block, place), block, "predictor", source).test
    return found.drop_vars([name for name in found.coords if name not in found.dims])


def _gap(tree: xr.DataTree, block: str, pair: Pair, select: Selection) -> xr.DataArray:
    """`_gap` returns ‖f − g‖ of a pair of functions."""
    f, g = (_function(tree, block, function, select) for function in pair)
    return rms(f - g)


def _length(tree: xr.DataTree, block: str, function: Function) -> xr.DataArray:
    """`_length` returns ‖θ − θ₀‖ of the parameters of a function, NaN where the function did not converge."""
    place = dict(function)
    source = place.pop("source", "trained")
    if source == "trained":
        trained = node_of(tree, "trained", block, place)
        found = np.sqrt((trained.distance**2).sum("layer")).where(trained.status == "converged")
    else:
        predicted = at(node_of(tree, "predicted", block, place), block, "predictor", source)
        found = predicted.length.where(predicted.test.notnull().all(("point", "output")))
    return found.drop_vars([name for name in found.coords if name not in found.dims])


def _at_width(values: xr.DataArray, width: Any, share: float = 0.8) -> xr.DataArray:
    """`_at_width` returns the values of a width; of several, those of the least width at which a `share` of
    the seeds has a value, that is, at which every network and every linearized run that the value compares
    converged."""
    if width is None:
        return values
    if not isinstance(width, Sequence):
        return values.sel(width=width)
    for one in sorted(width):
        if float(values.sel(width=one).notnull().mean()) >= share:
            return values.sel(width=one)
    raise NotEstimable(
        f"at no width of {', '.join(map(str, width))} do {share:.0%} of the seeds have all that is compared"
    )


def _known(values: xr.DataArray) -> Sample:
    """`_known` returns the sample of the seeds that have a value."""
    return per_seed(values, values.notnull())
