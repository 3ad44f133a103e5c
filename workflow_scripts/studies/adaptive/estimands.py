"""Estimands of the study `adaptive` (arXiv:2011.02408): each returns a sample of one number per seed.

Functions are named as `minima.findings.functions` says, and a seed counts only where all functions that are
compared are there.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from minima.findings.functions import Function, Pair, cosines, function_at, gap, known
from minima.findings.measures import half_difference, rms
from minima.findings.samples import Selection, at, node_of, slopes
from minima.findings.stats import NotEstimable, Sample


def resolved(
    tree: xr.DataTree, block: str, between: Pair, own: tuple[Function, Function], select: Selection = None
) -> Sample:
    """`resolved` returns ‖f − g‖ over the larger of ‖f − f'‖ and ‖g − g'‖, f' and g' the `own` predictions.

    Two networks with one limit, f' = g', and errors at right angles, as independent errors nearly are, would
    give at most √2.
    """
    errors = [gap(tree, block, pair, select) for pair in zip(between, own, strict=True)]
    return known(gap(tree, block, between, select) / np.maximum(*errors))


def cosine_at_width(tree: xr.DataTree, block: str, of: Pair, to: Pair, width: Any) -> Sample:
    """`cosine_at_width` returns the cosine between the differences f − g of two pairs at one width or at the
    least of several (`_at_width`)."""
    return known(_at_width(cosines(tree, block, of, to), width))


def explained(
    tree: xr.DataTree, block: str, by: str, target: str = "adagrad_flow", select: Selection = None
) -> Sample:
    """`explained` returns 1 − ‖p − a‖/‖g − a‖: how much of the way from the linearized limit g of gradient
    descent to the function a, whose source is `target`, the prediction p covers."""
    p, g, a = (function_at(tree, block, {"source": s}, select) for s in (by, "linearized", target))
    return known(1 - rms(p - a) / rms(g - a))


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
    f, g = (function_at(tree, block, {"source": source}, select) for source in (of, to))
    curves = rms(f - g) / rms(g)
    if steps is not None:
        curves = at(curves.to_dataset(name="curves"), block, "lr", list(steps)).curves
    return slopes(curves, curves.notnull().all("lr"), "lr")


def longer(tree: xr.DataTree, block: str, than: Function, of: Function) -> Sample:
    """`longer` returns ‖θ − θ₀‖ of one minimizer over that of another."""
    return known(_length(tree, block, of) / _length(tree, block, than))


def pythagoras(tree: xr.DataTree, block: str, source: str, select: Selection = None) -> Sample:
    """`pythagoras` returns |‖u‖² − ‖u_GD‖² − ‖u_⊥‖²|/‖u‖² of a predicted u with e = 0 at its end.

    u_GD = JᵀΘ⁻¹e₀ is gradient descent's solution by its own closed form, and u_⊥ is the part of u at right
    angles to the rows of J.
    """
    node = node_of(tree, "predicted", block, select)
    found, descent = (at(node, block, "predictor", name) for name in (source, "linearized"))
    there = found.test.notnull().all(("point", "output"))
    left = abs(found.length**2 - descent.length**2 - found.across**2) / found.length**2
    return known(left.where(there).drop_vars("predictor"))


def share_growth(tree: xr.DataTree, block: str, scales: tuple[float, float], width: Any) -> Sample:
    """`share_growth` returns the log of the initialization's share ‖(f₊ − f₋)/2‖ at the second σ over the
    share at the first, at one width or at the least of several (`_at_width`)."""
    trained = node_of(tree, "trained", block, None, scales)
    share = np.log(rms(half_difference(trained.test.where(trained.status == "converged"))))
    return known(_at_width(share.sel(scale=scales[1]) - share.sel(scale=scales[0]), width))


def error_growth(tree: xr.DataTree, block: str, scales: tuple[float, float], width: Any) -> Sample:
    """`error_growth` returns the test MSE at the second σ minus that at the first, means over both twins, at
    one width or at the least of several (`_at_width`)."""
    trained = node_of(tree, "trained", block, None, scales)
    error = trained.test_mse.where(trained.status == "converged").mean("flip", skipna=False)
    return known(_at_width(error.sel(scale=scales[1]) - error.sel(scale=scales[0]), width))


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
    if not isinstance(width, Sequence):
        return values.sel(width=width)
    for one in sorted(width):
        if float(values.sel(width=one).notnull().mean()) >= share:
            return values.sel(width=one)
    raise NotEstimable(
        f"at no width of {', '.join(map(str, width))} do {share:.0%} of the seeds have all that is compared"
    )
