"""Estimands of the study `adaptive` (arXiv:2011.02408): the optimizer and the minimizer.

A *function* is said by a mapping: `source`, which is `trained` or a predicted minimizer, and its place along
the block's axes, as {source: linearized_trained, optimizer: adagrad}. Functions of runs that did not converge
are missing, and a seed counts only where it has all that are compared. Distances are in function space: root
mean square over test points and outputs.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from minima.findings.measures import converged, half_difference, rms
from minima.findings.samples import Selection, at, node_of, per_seed, slopes
from minima.findings.stats import NotEstimable, Sample

Function = Mapping[str, Any]
Pair = tuple[Function, Function]


def distance(tree: xr.DataTree, block: str, between: Pair, select: Selection = None) -> Sample:
    """‖f − g‖/‖g‖ per seed."""
    f, g = (_function(tree, block, function, select) for function in between)
    return _known(rms(f - g) / rms(g))


def ratio(tree: xr.DataTree, block: str, of: Pair, over: Pair, select: Selection = None) -> Sample:
    """‖f − g‖ of one pair over that of another, per seed."""
    return _known(_gap(tree, block, of, select) / _gap(tree, block, over, select))


def resolved(
    tree: xr.DataTree, block: str, between: Pair, own: tuple[Function, Function], select: Selection = None
) -> Sample:
    """‖f − g‖ over the larger of ‖f − f'‖ and ‖g − g'‖, with f' and g' their `own` predictions, per seed.

    With one limit, f' = g', and errors at right angles, as independent ones nearly are, it is at most √2.
    """
    errors = [_gap(tree, block, pair, select) for pair in zip(between, own, strict=True)]
    return _known(_gap(tree, block, between, select) / np.maximum(*errors))


def cosine(tree: xr.DataTree, block: str, of: Pair, to: Pair, width: Any = None) -> Sample:
    """Cosine between the differences f − g of two pairs, over points and outputs, per seed; at a width, or
    at the least of several (`_least_width`)."""
    select = _at_width(tree, block, width)
    one, other = (_function(tree, block, f, select) - _function(tree, block, g, select) for f, g in (of, to))
    product = (one * other).mean(("point", "output"), skipna=False)
    return _known(product / (rms(one) * rms(other)))


def explained(
    tree: xr.DataTree, block: str, by: str, target: str = "adagrad_flow", select: Selection = None
) -> Sample:
    """1 − ‖p − a‖/‖g − a‖ per seed: how much of the way from gradient descent's limit g to the minimizer a
    the prediction p covers."""
    p, g, a = (_function(tree, block, {"source": s}, select) for s in (by, "linearized", target))
    return _known(1 - rms(p - a) / rms(g - a))


def slope_in_step(
    tree: xr.DataTree, block: str, of: str = "linearized_trained", to: str = "adagrad_flow"
) -> Sample:
    """Log-log slope of ‖f − g‖/‖g‖ against the step size; whole curves are the units, and a seed counts only
    where f converged at every step size."""
    f, g = (_function(tree, block, {"source": source}, None) for source in (of, to))
    curves = rms(f - g) / rms(g)
    return slopes(curves, curves.notnull().all("lr"), "lr")


def longer(tree: xr.DataTree, block: str, than: Function, of: Function) -> Sample:
    """‖θ − θ₀‖ of one minimizer over that of another, per seed."""
    return _known(_length(tree, block, of) / _length(tree, block, than))


def pythagoras(tree: xr.DataTree, block: str, source: str, select: Selection = None) -> Sample:
    """|‖u‖² − ‖u_GD‖² − ‖u_⊥‖²|/‖u‖² of a predicted u with e = 0 at its end, per seed: u_GD is gradient
    descent's solution JᵀΘ⁻¹e₀ by its own closed form, u_⊥ what of u is at right angles to the rows of J."""
    node = node_of(tree, "predicted", block, select)
    found, descent = (at(node, block, "predictor", name) for name in (source, "linearized"))
    known = found.test.notnull().all(("point", "output"))
    left = abs(found.length**2 - descent.length**2 - found.across**2) / found.length**2
    return _known(left.where(known).drop_vars("predictor"))


def share_growth(tree: xr.DataTree, block: str, scales: tuple[float, float], width: Any) -> Sample:
    """Log of the initialization's share ‖(f₊ − f₋)/2‖ at the second σ over that at the first, per seed."""
    trained = node_of(tree, "trained", block, _at_width(tree, block, width), scales)
    share = np.log(rms(half_difference(trained.test.where(trained.status == "converged"))))
    return _known(share.sel(scale=scales[1]) - share.sel(scale=scales[0]))


def error_growth(tree: xr.DataTree, block: str, scales: tuple[float, float], width: Any) -> Sample:
    """Test MSE at the second σ minus at the first, both twins' mean, per seed."""
    trained = node_of(tree, "trained", block, _at_width(tree, block, width), scales)
    error = trained.test_mse.where(trained.status == "converged").mean("flip", skipna=False)
    return _known(error.sel(scale=scales[1]) - error.sel(scale=scales[0]))


def _function(tree: xr.DataTree, block: str, function: Function, select: Selection) -> xr.DataArray:
    """f on the test points, NaN where it did not converge; its place no longer among the coordinates."""
    place = {**(select or {}), **function}
    source = place.pop("source", "trained")
    if source == "trained":
        trained = node_of(tree, "trained", block, place)
        found = trained.test.where(trained.status == "converged")
    else:
        found = at(node_of(tree, "predicted", block, place), block, "predictor", source).test
    return found.drop_vars([name for name in found.coords if name not in found.dims])


def _gap(tree: xr.DataTree, block: str, pair: Pair, select: Selection) -> xr.DataArray:
    f, g = (_function(tree, block, function, select) for function in pair)
    return rms(f - g)


def _length(tree: xr.DataTree, block: str, function: Function) -> xr.DataArray:
    place = dict(function)
    source = place.pop("source", "trained")
    if source == "trained":
        trained = node_of(tree, "trained", block, place)
        found = np.sqrt((trained.distance**2).sum("layer")).where(trained.status == "converged")
    else:
        predicted = at(node_of(tree, "predicted", block, place), block, "predictor", source)
        found = predicted.length.where(predicted.test.notnull().all(("point", "output")))
    return found.drop_vars([name for name in found.coords if name not in found.dims])


def _at_width(tree: xr.DataTree, block: str, width: Any) -> dict[str, Any]:
    """The selection of a width; of several, the least at which eight of ten seeds interpolate."""
    if width is None:
        return {}
    return {"width": _least_width(tree, block, width) if isinstance(width, Sequence) else width}


def _least_width(tree: xr.DataTree, block: str, widths: Sequence[int], share: float = 0.8) -> int:
    for width in sorted(widths):
        trained = node_of(tree, "trained", block, {"width": width})
        others = [str(dim) for dim in trained.status.dims if dim != "seed"]
        if float(converged(trained, *others).mean()) >= share:
            return width
    raise NotEstimable(
        f"at no width of {', '.join(map(str, widths))} do {share:.0%} of the seeds interpolate"
    )


def _known(values: xr.DataArray) -> Sample:
    """The seeds that have a value."""
    return per_seed(values, values.notnull())
