"""Estimands of the study `init_size` (arXiv:2011.02408): the size of the initialization and the minimizer.

Each takes a study's dataset and says what it finds per seed. A seed counts only where every network it needs
converged. Distances are in function space: root mean square over test points and outputs.
"""

import numpy as np
import xarray as xr

from minima.findings.measures import converged, half_difference, last_rise, power_of_scale, rms
from minima.findings.samples import Selection, at, node_of, only_seeds, per_seed, slopes
from minima.findings.stats import NotEstimable, Sample
from minima.theory.infinite_width import crossing


def slope_in_width(tree: xr.DataTree, block: str, to: str, select: Selection = None) -> Sample:
    """Log-log slope in width of ‖net − p‖/‖p‖, p the predicted minimizer `to`; curves per seed."""
    trained, predicted = node_of(tree, "trained", block, select), node_of(tree, "predicted", block, select)
    target = at(predicted, block, "predictor", to).test
    curves = rms(trained.test - target) / rms(target)
    return slopes(curves, converged(trained, "width"), "width")


def gap(tree: xr.DataTree, block: str, between: tuple[str, str], select: Selection = None) -> Sample:
    """Largest ‖p − q‖/‖q‖ of a seed over the block, between two predicted minimizers."""
    predicted = node_of(tree, "predicted", block, select)
    first, second = (at(predicted, block, "predictor", name).test for name in between)
    gaps = rms(first - second) / rms(second)
    if bool(gaps.isnull().any()):
        raise NotEstimable(f"{between[0]} or {between[1]} is missing for some network")
    worst = gaps.max([dim for dim in gaps.dims if dim != "seed"])
    return per_seed(worst, worst.notnull())


def share_slope(
    tree: xr.DataTree, block: str, source: str = "trained", over: float = 1.0, select: Selection = None
) -> Sample:
    """Log-log slope in σ of the initialization's share ‖(f₊ − f₋)/2‖ over flipped pairs, divided by `over`;
    curves per seed. `source` is `trained` or a predicted minimizer."""
    trained = node_of(tree, "trained", block, select)
    share = rms(half_difference(_functions(tree, block, source, select)))
    return slopes(share, converged(trained, "scale", "flip"), "scale", over)


def excess_ratio(tree: xr.DataTree, block: str, select: Selection = None) -> Sample:
    """The initialization's test error, trained over closed form, per seed (geometric mean over σ).

    Over a flipped pair the mean MSE is MSE(f̄) + mean ((f₊ − f₋)/2)² exactly, f̄ the pair's mean: the second
    term is the initialization's error.
    """
    trained = node_of(tree, "trained", block, select)
    usable = converged(trained, "scale", "flip")
    excess = [
        rms(half_difference(_functions(tree, block, source, select))) ** 2
        for source in ("trained", "linearized")
    ]
    ratio = np.log(excess[0] / excess[1]).mean("scale")
    return per_seed(np.exp(ratio), usable)


def increase(
    tree: xr.DataTree, block: str, scales: tuple[float, float], measure: str, select: Selection = None
) -> Sample:
    """`measure` at the second σ minus at the first, per seed."""
    trained = node_of(tree, "trained", block, select, scales)
    low, high = (trained[measure].sel(scale=scale) for scale in scales)
    return per_seed(high - low, converged(trained, "scale"))


def growth(tree: xr.DataTree, block: str, scales: tuple[float, float], select: Selection = None) -> Sample:
    """Mean test MSE at the second σ over that at the first; pairs per seed."""
    trained = node_of(tree, "trained", block, select, scales)
    pairs = per_seed(trained.test_mse, converged(trained, "scale"), "scale")
    return pairs.rebuilt(pairs.values, lambda units: float(units[:, 1].mean() / units[:, 0].mean()))


def crossing_ratio(
    tree: xr.DataTree,
    block: str,
    centred: str,
    variance: str = "limit_variance",
    select: Selection = None,
    select_centred: Selection = None,
) -> Sample:
    """Measured over predicted σ*, where the mean MSE is twice that of the centred nets of the same width.

    Measured: log-log interpolated in σ. Predicted before any training, from infinitely wide nets on the same
    data: (MSE_int/V)^{1/2H}, where MSE_int + σ^{2H}V is twice MSE_int, with V the named variance at σ = 1.
    """
    trained = node_of(tree, "trained", block, select)
    beside = node_of(tree, "trained", centred, select_centred)
    reference = tree[f"reference/{block}"].to_dataset()
    usable = converged(trained, "scale") & converged(beside)
    only_seeds(usable)
    depth = power_of_scale(trained, select or {})
    if depth is None:
        raise NotEstimable("the initialization's share is a power of σ in ReLU and linear networks only")
    scales = trained.scale.values
    usable, curves, *levels = xr.align(  # the blocks may have different seeds, fixed data have none
        usable,
        trained.test_mse,
        beside.test_mse,
        at(reference, block, "reference", "ntk").test_mse,
        reference[variance].mean("point"),
        join="inner",
    )
    columns = xr.concat(
        [
            *(curves.sel(scale=sigma, drop=True) for sigma in scales),
            *(level.broadcast_like(usable) for level in levels),
        ],
        dim="column",
        coords="minimal",
        compat="override",
    )

    def ratio(units: np.ndarray) -> float:
        *curve, centred_mse, mse_int, share = units.mean(axis=0)
        return last_rise(scales, np.array(curve), 2 * centred_mse) / crossing(mse_int, share, depth)

    found = per_seed(columns, usable, "column")
    return found.rebuilt(found.values, ratio)


def _functions(tree: xr.DataTree, block: str, source: str, select: Selection) -> xr.DataArray:
    if source == "trained":
        return node_of(tree, "trained", block, select).test
    return at(node_of(tree, "predicted", block, select), block, "predictor", source).test
