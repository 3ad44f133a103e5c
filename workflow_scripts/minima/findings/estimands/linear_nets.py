"""Estimands of the study `linear_nets` (arXiv:2105.06351): imbalance, rates and the min-norm solution.

Each takes a study's dataset and says what it finds per seed. The paper's losses ‖Y − XUVᵀ‖²/n are twice the
training loss. Losses below 1e-16 of the first are rounding, and no rate is asked of them.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from minima.findings.linear_nets import (
    decay_over_bound,
    least_imbalance,
    loss_over_bound,
    min_norm_distance,
    start_distance,
    unseen_directions,
)
from minima.findings.measures import converged, rms
from minima.findings.samples import Selection, at, node_of, only_seeds, per_seed, slopes
from minima.findings.stats import NotEstimable, Sample


def drift(
    tree: xr.DataTree, block: str, variable: str = "imbalance_path", select: Selection = None
) -> Sample:
    """The largest of a drift on the way, over all networks of a seed."""
    found = node_of(tree, "trained", block, select)[variable]
    return _worst(found)


def drift_slope(tree: xr.DataTree, block: str, select: Selection = None) -> Sample:
    """Log-log slope of the imbalance's drift in the step size; curves per seed."""
    trained = node_of(tree, "trained", block, select)
    return slopes(trained.imbalance_path.max("step"), converged(trained, "lr"), "lr")


def drift_ratio(tree: xr.DataTree, block: str, beside: str) -> Sample:
    """The imbalance's drift in `block` over that in `beside` at the same step size, the least of a seed."""
    first, second = (node_of(tree, "trained", name, None) for name in (block, beside))
    first, second = xr.align(first, second, join="inner")
    ratio = first.imbalance_path.max("step") / second.imbalance_path.max("step")
    return per_seed(ratio.min("lr"), converged(first, "lr") & converged(second, "lr"))


def over_bound(
    tree: xr.DataTree, block: str, factor: float = 1.0, cases: Sequence[str] = (), select: Selection = None
) -> Sample:
    """max_t L/bound of Theorem 1 with `factor` · c for c: the largest of a seed's networks, or, where `cases`
    are named, the least of theirs."""
    ratio = loss_over_bound(node_of(tree, "trained", block, select), factor)
    if not cases:
        return _worst(ratio)
    return _per_seed(ratio.max("step").sel(layer_scales=list(cases)).min("layer_scales"))


def order(tree: xr.DataTree, block: str, last: str, cases: Sequence[str]) -> Sample:
    """The least log ratio of the final losses of neighbours in a seed: `cases` from the lowest up, then the
    block `last`; positive where the order is as said."""
    first, second = (_final(node_of(tree, "trained", name, None).loss) for name in (block, last))
    first, second = xr.align(first, second, join="inner")
    losses = xr.concat([first.sel(layer_scales=case, drop=True) for case in cases] + [second], dim="case")
    return _per_seed(np.log(losses).diff("case").min("case"))


def imbalance_ratio(tree: xr.DataTree, block: str, published: float, select: Selection = None) -> Sample:
    """c over its published value."""
    return _per_seed(least_imbalance(node_of(tree, "trained", block, select)) / published)


def loss_ratio(tree: xr.DataTree, block: str, published: float, select: Selection = None) -> Sample:
    """Final loss over its published value, as a geometric mean."""
    final = 2 * _final(node_of(tree, "trained", block, select).loss)
    found = _per_seed(np.log(final / published))
    return found.rebuilt(found.values, lambda units: float(np.exp(units.mean())))


def final_loss(tree: xr.DataTree, block: str, select: Selection = None) -> Sample:
    """The paper's loss at the last step."""
    return _per_seed(2 * _final(node_of(tree, "trained", block, select).loss))


def tightness(tree: xr.DataTree, block: str, select: Selection = None) -> Sample:
    """The decay at the last step over the bound of Theorem 1."""
    return _per_seed(_final(decay_over_bound(node_of(tree, "trained", block, select), 0)))


def bound_over_decay(tree: xr.DataTree, block: str, select: Selection = None) -> Sample:
    """The bound of Proposition 1′ over the decay, the largest of a seed's steps and networks."""
    return _worst(1 / decay_over_bound(node_of(tree, "trained", block, select), 1))


def distance(tree: xr.DataTree, block: str, select: Selection = None) -> Sample:
    """‖f − f̂‖/‖f̂‖ on the test points, f̂ the min-norm solution."""
    trained, found = node_of(tree, "trained", block, select), _relative(tree, block, select)
    return per_seed(found, converged(trained))


def farther(tree: xr.DataTree, block: str, scheme: str, than: str) -> Sample:
    """The distance to the min-norm solution from one init scheme over that from another, per seed."""
    trained, found = node_of(tree, "trained", block, None), _relative(tree, block, None)
    ratio = at(found, block, "scheme", scheme) / at(found, block, "scheme", than)
    return per_seed(ratio, converged(trained, "scheme"))


def slope_in_width(
    tree: xr.DataTree, block: str, power: float, start: bool = False, select: Selection = None
) -> Sample:
    """Log-log slope in width of the distance to the min-norm solution, or of ‖U2Vᵀ‖ at the start."""
    chosen = {"width_power": power} | dict(select or {})
    trained = node_of(tree, "trained", block, chosen)
    found = (start_distance if start else min_norm_distance)(tree, block, chosen)
    return slopes(found, converged(trained, "width"), "width")


def level(tree: xr.DataTree, block: str, power: float, least_width: int) -> Sample:
    """‖UVᵀ − Θ̂‖ h^{2α−½}/√((D − r)m), the mean over the widths from `least_width` up."""
    select = {"width_power": power}
    trained, found = node_of(tree, "trained", block, select), min_norm_distance(tree, block, select)
    wide = found.width >= least_width
    scaled = found * found.width ** (2 * power - 0.5) / np.sqrt(unseen_directions(trained))
    return per_seed(scaled[{"width": wide.values}].mean("width"), converged(trained, "width"))


def growth(tree: xr.DataTree, block: str, power: float, least_width: int) -> Sample:
    """‖UVᵀ − Θ̂‖ at the end over ‖U2Vᵀ‖ at the start, the mean over the widths from `least_width` up."""
    select = {"width_power": power}
    trained = node_of(tree, "trained", block, select)
    ratio = min_norm_distance(tree, block, select) / start_distance(tree, block, select)
    wide = (ratio.width >= least_width).values
    return per_seed(ratio[{"width": wide}].mean("width"), converged(trained, "width"))


def steps_ratio(tree: xr.DataTree, block: str, power: float, least_width: int, than: int) -> Sample:
    """Steps to the end, mean over the widths from `least_width` up, over those at the width `than`."""
    trained = node_of(tree, "trained", block, {"width_power": power})
    wide = trained.steps[{"width": (trained.width >= least_width).values}].mean("width")
    return per_seed(wide / at(trained, block, "width", than).steps, converged(trained, "width"))


def holds(tree: xr.DataTree, block: str, quantity: str, power: float, width: int) -> Sample:
    """The part of a seed's draws in which a bound of Lemma 1 or Theorem 2 holds."""
    draws = tree[f"reference/{block}"].to_dataset()[quantity]
    draws = at(at(draws, block, "wide_power", power), block, "wide_width", width)
    good = draws >= 1 if quantity == "gap_slack" else draws <= 1
    return _per_seed(good.where(draws.notnull()).mean("draw"))


def agreement(tree: xr.DataTree, block: str, direct: str, variable: str, select: Selection = None) -> Sample:
    """The largest difference between two blocks that train the same networks in other coordinates, relative
    to the variable's size in each network, over the seeds and steps of both."""
    one, other = (node_of(tree, "trained", name, select)[variable] for name in (block, direct))
    one, other = xr.align(one, other, join="inner")
    if not one.size:
        raise NotEstimable(f"{block} and {direct} have no networks and steps in common")
    within = [dim for dim in one.dims if dim in ("step", "point", "output")]
    scale = np.abs(other) if "step" in within else rms(other)
    return _worst(np.abs(one - other) / scale)


def _relative(tree: xr.DataTree, block: str, select: Selection) -> xr.DataArray:
    trained = node_of(tree, "trained", block, select)
    target = at(tree[f"reference/{block}"].to_dataset(), block, "reference", "min_norm").test
    return rms(trained.test - target) / rms(target)


def _final(path: xr.DataArray) -> xr.DataArray:
    """The value at the last recorded step."""
    return path.isel(step=-1)


def _worst(found: xr.DataArray) -> Sample:
    """The largest over all that a seed has; NaN marks what was not reached."""
    return _per_seed(found.max([dim for dim in found.dims if dim != "seed"]))


def _per_seed(found: xr.DataArray) -> Sample:
    only_seeds(found)
    kept = found.notnull()
    return per_seed(found, kept)
