"""Estimands of the study `momentum` (arXiv:2010.13165): how fast gradient descent with momentum trains.

Each estimand takes a study's dataset and returns a number per seed. Blocks record the spectrum of each
network's own kernel at the start, so that every rate is measured in units of that network: x = ηλmin/N is the
share of its slowest mode that one step of gradient descent removes, and time is t = k√η. Rates are −d log
L/dk. `source` is `trained`, or `frozen` for the curve of the same networks with their kernel frozen. A window
is two steps, ends included.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr

from minima.engine.divergence import DIVERGED_LOSS
from minima.findings.samples import Selection, node_of, per_seed, slopes
from minima.findings.stats import NotEstimable, Sample
from minima.findings.trajectories import predicted_loss, relative_loss
from studies.momentum.curves import (
    between,
    each,
    envelope,
    envelope_power,
    exponential,
    near,
    power_law,
    rate,
    slowest,
    sup_error,
)
from studies.momentum.theory import convex_bound

Window = tuple[float, float]


def bound_violations(tree: xr.DataTree, block: str, times: float = 1.0, select: Selection = None) -> Sample:
    """`bound_violations` counts the recorded steps with L(k) > e^{−times·xk} L(0)."""
    node = node_of(tree, "trained", block, select)
    above = relative_loss(node) > np.exp(-times * slowest(node) * node.step) * (1 + 1e-12)
    return per_seed(above.sum("step"), _went_on(node))


def rate_ratio(
    tree: xr.DataTree,
    block: str,
    over: str,
    window: Window,
    source: str = "trained",
    select: Selection = None,
) -> Sample:
    """`rate_ratio` returns the rate fitted in the window over that of a theory: 2x (`gd`), −log μ
    (`momentum`) or 2x/(1 − μ) (`effective`)."""
    node = node_of(tree, "trained", block, select)
    rates = each(between(_curves(node, source), window), rate)
    return per_seed(rates / _rate_of_theory(node, over), _went_on(node))


def straightness(
    tree: xr.DataTree, block: str, window: Window, source: str = "trained", select: Selection = None
) -> Sample:
    """`straightness` returns R² of the exponential fit in the window, the least of a seed's networks."""
    node = node_of(tree, "trained", block, select)
    return _least(_fitted(node, source, window, lambda k, loss: exponential(k, loss).r_squared), node)


def envelope_slope(
    tree: xr.DataTree, block: str, window: Window, source: str = "trained", select: Selection = None
) -> Sample:
    """`envelope_slope` returns the log-log slope through the local maxima of L in the window."""
    node = node_of(tree, "trained", block, select)
    return per_seed(each(between(_curves(node, source), window), envelope_power), _went_on(node))


def envelope_excess(
    tree: xr.DataTree, block: str, window: Window, source: str = "trained", select: Selection = None
) -> Sample:
    """`envelope_excess` returns the log-log slope through the local maxima of L in the window, less the slope
    of k^(−r)(1 − x)^k through the same maxima: 0 where L falls like that."""
    node = node_of(tree, "trained", block, select)

    def excess(k: np.ndarray, loss: np.ndarray, x: float, r: float) -> float:
        steps, heights = envelope(k, loss)
        return power_law(steps, heights).slope - power_law(steps, _falling(steps, x, r)).slope

    curves = between(_curves(node, source), window)
    return per_seed(each(curves, excess, slowest(node), _number(node, "optimizer.r")), _went_on(node))


def envelope_rate_ratio(
    tree: xr.DataTree,
    block: str,
    over: str,
    window: Window,
    source: str = "trained",
    select: Selection = None,
) -> Sample:
    """`envelope_rate_ratio` returns the rate through the local maxima of L in the window over that of a
    theory: those of `rate_ratio`, or the rate of k^(−r)(1 − x)^k through the same maxima (`window`)."""
    node = node_of(tree, "trained", block, select)
    curves = between(_curves(node, source), window)
    if over != "window":
        rates = -each(curves, lambda k, loss: exponential(*envelope(k, loss)).slope)
        return per_seed(rates / _rate_of_theory(node, over), _went_on(node))

    def ratio(k: np.ndarray, loss: np.ndarray, x: float, r: float) -> float:
        steps, heights = envelope(k, loss)
        return exponential(steps, heights).slope / exponential(steps, _falling(steps, x, r)).slope

    return per_seed(each(curves, ratio, slowest(node), _number(node, "optimizer.r")), _went_on(node))


def preference(
    tree: xr.DataTree,
    block: str,
    window: Window,
    through: str = "maxima",
    source: str = "trained",
    select: Selection = None,
) -> Sample:
    """`preference` returns the log of the squares that an exponential leaves of log L over those that a power
    law leaves, the least of a seed's networks: above 0 the power law fits better. `through` is `maxima`, the
    local maxima alone, or `all` steps."""
    node = node_of(tree, "trained", block, select)

    def advantage(k: np.ndarray, loss: np.ndarray) -> float:
        points = envelope(k, loss) if through == "maxima" else (k, loss)
        straight, power = exponential(*points), power_law(*points)
        return float(np.log(straight.left / power.left))

    return _least(_fitted(node, source, window, advantage), node)


def convex_bound_ratio(
    tree: xr.DataTree, block: str, select: Selection = None, r: float | None = None
) -> Sample:
    """`convex_bound_ratio` returns the greatest λ₀t²L/((r − 1)²L(0)) over the recorded steps of a seed's
    networks, at the r of each network's schedule, or at this r where the optimizer has none."""
    node = node_of(tree, "trained", block, select)
    schedule = _number(node, "optimizer.r") if r is None else xr.DataArray(float(r))
    bound = convex_bound(*xr.broadcast(slowest(node), schedule, node.step))
    ratio = (relative_loss(node) / bound).max("step")
    return _least(ratio, node, greatest=True)


def sup_error_slope(tree: xr.DataTree, block: str, select: Selection = None) -> Sample:
    """`sup_error_slope` returns the log-log slope in width of the largest |L − L_frozen|/L(0), for whole
    curves of a seed."""
    node = node_of(tree, "trained", block, select)
    return slopes(sup_error(node), _went_on(node), "width")


def largest_error(tree: xr.DataTree, block: str, select: Selection = None) -> Sample:
    """`largest_error` returns the largest |L − L_frozen|/L(0) over the steps."""
    node = node_of(tree, "trained", block, select)
    return per_seed(sup_error(node), _went_on(node))


def ode_error_ratio(tree: xr.DataTree, block: str, dim: str, select: Selection = None) -> Sample:
    """`ode_error_ratio` returns the factor by which the largest |L − L_ODE|/L(0) falls per factor 10 in the
    learning rate, whose axis is `dim`."""
    node = node_of(tree, "trained", block, select)
    fall = slopes(sup_error(node, ode=True), _went_on(node), dim)
    return fall.rebuilt(10 ** _slope_of_each(fall.values, node[dim].values))


def descent(
    tree: xr.DataTree,
    block: str,
    places: Sequence[Mapping[str, Any]],
    step: float,
    source: str = "trained",
    select: Selection = None,
) -> Sample:
    """`descent` returns the least log(L_i/L_{i+1}) between neighbours of a list of places, at a step: above 0
    where each place in the list is faster than the one before."""
    node = node_of(tree, "trained", block, select)
    curves = near(_curves(node, source), step)
    logs = [np.log(_at(curves, block, place)) for place in places]
    gaps = [before - after for before, after in pairwise(logs)]
    return per_seed(_stacked(gaps).min("pair", skipna=False), _went_on_at(node, block, places))


def steepening(
    tree: xr.DataTree,
    block: str,
    places: Sequence[Mapping[str, Any]],
    steps: tuple[float, float],
    select: Selection = None,
) -> Sample:
    """`steepening` returns the least growth of the log-log steepness between two steps, from each place in a
    list to the next."""
    node = node_of(tree, "trained", block, select)
    early, late = (near(relative_loss(node), step) for step in steps)
    steepness = np.log(early / late) / np.log(late.step / early.step)
    steep = [_at(steepness, block, place) for place in places]
    gaps = [after - before for before, after in pairwise(steep)]
    return per_seed(_stacked(gaps).min("pair", skipna=False), _went_on_at(node, block, places))


def divergence(tree: xr.DataTree, block: str, source: str = "trained", select: Selection = None) -> Sample:
    """`divergence` returns 1 where training diverges and 0 where it does not. The curve of a frozen kernel
    counts as diverged from the multiple of L(0) at which the engine stops a network."""
    node = node_of(tree, "trained", block, select)
    if source == "trained":
        diverged = node.status == "diverged"
    else:
        diverged = ~(predicted_loss(node) <= DIVERGED_LOSS).all("step")
    return per_seed(diverged.astype(float), xr.ones_like(diverged, dtype=bool))


def _curves(node: xr.Dataset, source: str) -> xr.DataArray:
    if source not in ("trained", "frozen"):
        raise NotEstimable(f"a curve is trained or frozen, not {source}")
    return relative_loss(node) if source == "trained" else predicted_loss(node)


def _fitted(
    node: xr.Dataset, source: str, window: Window, fit: Callable[[np.ndarray, np.ndarray], float]
) -> xr.DataArray:
    return each(between(_curves(node, source), window), fit)


def _least(values: xr.DataArray, node: xr.Dataset, greatest: bool = False) -> Sample:
    """`_least` returns the least, or the greatest, value of each seed's networks."""
    others = [dim for dim in values.dims if dim != "seed"]
    values = values.max(others, skipna=False) if greatest else values.min(others, skipna=False)
    return per_seed(values, _went_on(node))


def _falling(steps: np.ndarray, x: float, r: float) -> np.ndarray:
    """`_falling` returns k^(−r)(1 − x)^k, as which the slowest mode's part of L falls under Nesterov's
    schedule."""
    return steps**-r * (1 - x) ** steps


def _went_on(node: xr.Dataset) -> xr.DataArray:
    """`_went_on` returns the seeds of which no network diverged or is missing: a network need not have
    converged to have a rate."""
    fine = (node.status == "converged") | (node.status == "stopped")
    return fine.all([dim for dim in fine.dims if dim != "seed"])


def _went_on_at(node: xr.Dataset, block: str, places: Sequence[Mapping[str, Any]]) -> xr.DataArray:
    fine = (node.status == "converged") | (node.status == "stopped")
    return _stacked([_at(fine, block, place) for place in places]).all("pair")


def _stacked(values: Sequence[xr.DataArray]) -> xr.DataArray:
    """`_stacked` returns arrays side by side along `pair`, without the labels by which they were chosen."""
    return xr.concat([value.reset_coords(drop=True) for value in values], dim="pair")


def _at(values: xr.DataArray, block: str, place: Mapping[str, Any]) -> xr.DataArray:
    try:
        return values.sel(place)
    except KeyError:
        raise NotEstimable(f"not in the dataset: {dict(place)} of block {block}") from None


def _rate_of_theory(node: xr.Dataset, over: str) -> xr.DataArray:
    x = slowest(node)
    if over == "gd":
        return 2 * x
    if over == "momentum":
        return -np.log(node.momentum_used)
    if over == "effective":
        return 2 * x / (1 - node.momentum_used)
    raise NotEstimable(f"no rate of theory is called {over}")


def _number(node: xr.Dataset, path: str) -> xr.DataArray:
    """`_number` returns a number of the optimizer that is an axis of the block."""
    for coordinate in node.coords.values():
        if coordinate.attrs.get("long_name") == path:
            return coordinate
    raise NotEstimable(f"{path} is no axis of the block")


def _slope_of_each(logs: np.ndarray, x: np.ndarray) -> np.ndarray:
    """`_slope_of_each` returns the log-log slope of every unit's curve, from the logarithms [units,
    points]."""
    return np.polyfit(np.log(x), logs.T, 1)[0]
