"""Estimands of the study `linear_nets` (arXiv:2105.06351): imbalance, rates and the min-norm solution.

Each estimand takes a study's dataset and returns a number per seed, or per draw where networks are drawn and
not trained. The paper's losses ‖Y − XUVᵀ‖²/n are twice the training loss. Losses below 1e-16 of the first are
rounding, and no estimand computes a rate from them.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from minima.findings.measures import converged, rms
from minima.findings.samples import Selection, at, most_per_seed, node_of, per_draw, per_seed, slopes
from minima.findings.stats import NotEstimable, Sample
from studies.linear_nets.quantities import (
    decay_over_bound,
    guaranteed_share,
    least_imbalance,
    min_norm_distance,
    start_distance,
    unseen_directions,
)


def drift(
    tree: xr.DataTree, block: str, variable: str = "imbalance_path", select: Selection = None
) -> Sample:
    """`drift` returns the largest drift of a variable on the way, over all networks of a seed."""
    found = node_of(tree, "trained", block, select)[variable]
    return most_per_seed(found)


def drift_slope(tree: xr.DataTree, block: str, select: Selection = None) -> Sample:
    """`drift_slope` returns the log-log slope of the imbalance's drift in the step size, for whole curves of
    a seed."""
    trained = node_of(tree, "trained", block, select)
    return slopes(trained.imbalance_path.max("step"), converged(trained, "lr"), "lr")


def drift_bend(tree: xr.DataTree, block: str, select: Selection = None) -> Sample:
    """`drift_bend` returns the excess over 1 of the drift's log-log slope between the two smallest step sizes
    over that between the next two, each twice the one before: ½ where the drift is aη + bη²."""
    trained = node_of(tree, "trained", block, select)
    first = trained.imbalance_path.max("step").sortby("lr").isel(lr=slice(3))
    ratios = first.lr.values[1:] / first.lr.values[:-1]
    if not np.allclose(ratios, [2, 2]):
        raise NotEstimable("the bend of the drift asks for step sizes that double")
    excess = (np.log2(first).diff("lr") - 1).transpose("lr", ...)
    return per_seed(excess[0].drop_vars("lr") / excess[1].drop_vars("lr"), converged(trained, "lr"))


def drift_ratio(tree: xr.DataTree, block: str, beside: str) -> Sample:
    """`drift_ratio` returns the imbalance's drift in `block` over that in `beside` at the same step size, the
    least of a seed."""
    first, second = (node_of(tree, "trained", name, None) for name in (block, beside))
    first, second = xr.align(first, second, join="inner")
    ratio = first.imbalance_path.max("step") / second.imbalance_path.max("step")
    return per_seed(ratio.min("lr"), converged(first, "lr") & converged(second, "lr"))


def guaranteed(
    tree: xr.DataTree, block: str, factor: float = 1.0, cases: Sequence[str] = (), select: Selection = None
) -> Sample:
    """`guaranteed` returns the largest share of the decay log L(0)/L(t), t > 0, that Theorem 1 guarantees
    with `factor` · c for c: above 1 where a loss is above the bound. The share is the largest of a seed's
    networks, or, where `cases` are named, the least of theirs."""
    share = guaranteed_share(node_of(tree, "trained", block, select), factor)
    if not cases:
        return most_per_seed(share)
    return per_seed(share.max("step").sel(layer_scales=list(cases)).min("layer_scales"))


def order(tree: xr.DataTree, block: str, last: str, cases: Sequence[str]) -> Sample:
    """`order` returns the least log ratio of the final losses of neighbours in a seed: `cases` from the
    lowest up, then the block `last`. It is positive where the losses rise in this order."""
    first, second = (_final(node_of(tree, "trained", name, None).loss) for name in (block, last))
    first, second = xr.align(first, second, join="inner")
    losses = xr.concat([first.sel(layer_scales=case, drop=True) for case in cases] + [second], dim="case")
    return per_seed(np.log(losses).diff("case").min("case"))


def as_unusual(tree: xr.DataTree, block: str, of: str, published: float, select: Selection = None) -> Sample:
    """`as_unusual` returns, for each draw, how much farther its c (`imbalance`) or final loss (`loss`) is
    from the median than the published number is, in logarithms: 0 or more where the draw is as unusual.

    The median is that of the draws and the published number together. So if this number is a draw of the same
    law, its place among all distances is as likely to be one as another.
    """
    trained = node_of(tree, "trained", block, select)
    draws = per_seed(least_imbalance(trained) if of == "imbalance" else 2 * _final(trained.loss))
    logs = np.log([*draws.values, published])
    *distances, own = np.abs(logs - np.median(logs))
    return draws.rebuilt(np.array(distances) - own)


def final_loss(tree: xr.DataTree, block: str, select: Selection = None) -> Sample:
    """`final_loss` returns the paper's loss at the last step."""
    return per_seed(2 * _final(node_of(tree, "trained", block, select).loss))


def tightness(tree: xr.DataTree, block: str, select: Selection = None) -> Sample:
    """`tightness` returns the decay at the last step over the bound of Theorem 1."""
    return per_seed(_final(decay_over_bound(node_of(tree, "trained", block, select), 0)))


def bound_over_decay(tree: xr.DataTree, block: str, select: Selection = None) -> Sample:
    """`bound_over_decay` returns the bound of Proposition 1′ over the decay, the largest of a seed's steps
    and networks."""
    return most_per_seed(1 / decay_over_bound(node_of(tree, "trained", block, select), 1))


def distance(tree: xr.DataTree, block: str, select: Selection = None) -> Sample:
    """`distance` returns ‖f − f̂‖/‖f̂‖ on the test points, with f̂ the min-norm solution."""
    trained, found = node_of(tree, "trained", block, select), _relative(tree, block, select)
    return per_seed(found, converged(trained))


def farther(tree: xr.DataTree, block: str, scheme: str, than: str) -> Sample:
    """`farther` returns the distance to the min-norm solution from one init scheme over that from another."""
    trained, found = node_of(tree, "trained", block, None), _relative(tree, block, None)
    ratio = at(found, block, "scheme", scheme) / at(found, block, "scheme", than)
    return per_seed(ratio, converged(trained, "scheme"))


def slope_in_width(
    tree: xr.DataTree, block: str, power: float, start: bool = False, select: Selection = None
) -> Sample:
    """`slope_in_width` returns the log-log slope in width of the distance to the min-norm solution, or of
    ‖U2Vᵀ‖ at the start."""
    chosen = {"width_power": power} | dict(select or {})
    trained = node_of(tree, "trained", block, chosen)
    found = (start_distance if start else min_norm_distance)(tree, block, chosen)
    return slopes(found, converged(trained, "width"), "width")


def level(tree: xr.DataTree, block: str, power: float, least_width: int) -> Sample:
    """`level` returns ‖UVᵀ − Θ̂‖ h^{2α−½}/√((D − r)m), the mean over the widths from `least_width` up."""
    select = {"width_power": power}
    trained, found = node_of(tree, "trained", block, select), min_norm_distance(tree, block, select)
    wide = found.width >= least_width
    scaled = found * found.width ** (2 * power - 0.5) / np.sqrt(unseen_directions(trained))
    return per_seed(scaled[{"width": wide.values}].mean("width"), converged(trained, "width"))


def growth(tree: xr.DataTree, block: str, power: float, least_width: int) -> Sample:
    """`growth` returns ‖UVᵀ − Θ̂‖ at the end over ‖U2Vᵀ‖ at the start, the mean over the widths from
    `least_width` up."""
    select = {"width_power": power}
    trained = node_of(tree, "trained", block, select)
    ratio = min_norm_distance(tree, block, select) / start_distance(tree, block, select)
    wide = (ratio.width >= least_width).values
    return per_seed(ratio[{"width": wide}].mean("width"), converged(trained, "width"))


def steps_ratio(tree: xr.DataTree, block: str, power: float, least_width: int, than: int) -> Sample:
    """`steps_ratio` returns the steps to the end, mean over the widths from `least_width` up, over those at
    the width `than`."""
    trained = node_of(tree, "trained", block, {"width_power": power})
    wide = trained.steps[{"width": (trained.width >= least_width).values}].mean("width")
    return per_seed(wide / at(trained, block, "width", than).steps, converged(trained, "width"))


def slack(
    tree: xr.DataTree, block: str, quantity: str, power: float, width: int, covered: bool = True
) -> Sample:
    """`slack` returns, for each draw of a network on the data of a block, the side of an inequality of Lemma
    1 (`gap_slack`, `overlap_slack`) or of Theorem 2 (`limit_slack`) over its bound. It refuses a width that
    is not above the width from which the statement holds, or is above it where `covered` is false."""
    node = tree[f"reference/{block}"].to_dataset()
    node = at(at(node, block, "wide_power", power), block, "wide_width", width)
    least = node["theorem_width"] if quantity == "limit_slack" else node["lemma_width"]
    if not ((width > least) == covered).all():
        side = "not above" if covered else "above"
        raise NotEstimable(
            f"width {width} is {side} {float(least.max()):.3g}, from which the statement holds"
        )
    return per_draw(node[quantity])


def agreement(tree: xr.DataTree, block: str, direct: str, variable: str, select: Selection = None) -> Sample:
    """`agreement` returns the largest difference between two blocks that train the same networks in other
    coordinates, relative to the variable's size in each network, over the seeds and steps of both."""
    one, other = (node_of(tree, "trained", name, select)[variable] for name in (block, direct))
    one, other = xr.align(one, other, join="inner")
    if not one.size:
        raise NotEstimable(f"{block} and {direct} have no networks and steps in common")
    within = [dim for dim in one.dims if dim in ("step", "point", "output")]
    scale = np.abs(other) if "step" in within else rms(other)
    return most_per_seed(np.abs(one - other) / scale)


def _relative(tree: xr.DataTree, block: str, select: Selection) -> xr.DataArray:
    trained = node_of(tree, "trained", block, select)
    target = at(tree[f"reference/{block}"].to_dataset(), block, "reference", "min_norm").test
    return rms(trained.test - target) / rms(target)


def _final(path: xr.DataArray) -> xr.DataArray:
    """`_final` returns the value at the last recorded step."""
    return path.isel(step=-1)
