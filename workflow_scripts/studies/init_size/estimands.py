"""Estimands of the study `init_size` (arXiv:2011.02408): the size of the initialization and the minimizer.

Each estimand takes a study's dataset and returns a sample with one entry per seed. A seed counts only where
every network that the entry needs converged. Distances are in function space: root mean square over test
points and outputs. *Twins* f₊ and f₋ are a network and the same network with the last layer's sign flipped.
"""

import numpy as np
import xarray as xr

from minima.findings.measures import converged, half_difference, last_rise, power_of_scale, rms
from minima.findings.samples import Selection, at, node_of, only_seeds, per_seed, slopes
from minima.findings.stats import NotEstimable, Sample
from minima.theory.infinite_width import crossing

VARIANCES = "limit_variance", "start_variance"  # V projected on the data, and mean f₀²


def slope_in_width(
    tree: xr.DataTree, block: str, to: str, select: Selection = None, along: str = "width"
) -> Sample:
    """`slope_in_width` returns the log-log slope of ‖net − p‖/‖p‖ in width, p the predicted function `to`.
    The widths are the labels of the axis `along`."""
    trained, predicted = node_of(tree, "trained", block, select), node_of(tree, "predicted", block, select)
    target = at(predicted, block, "predictor", to).test
    curves = rms(trained.test - target) / rms(target)
    curves = curves.assign_coords({along: curves[along].astype(float)})  # of networks with names: words
    return slopes(curves, converged(trained, along), along)


def gap(tree: xr.DataTree, block: str, between: tuple[str, str], select: Selection = None) -> Sample:
    """`gap` returns the largest ‖p − q‖/‖q‖ over the block, between two predicted minimizers."""
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
    """`share_slope` returns the log-log slope in σ of the initialization's share ‖(f₊ − f₋)/2‖ of twins,
    divided by `over`; `source` is `trained` or a predictor's name."""
    trained = node_of(tree, "trained", block, select)
    share = rms(half_difference(_functions(tree, block, source, select)))
    return slopes(share, converged(trained, "scale", "flip"), "scale", over)


def excess_ratio(tree: xr.DataTree, block: str, select: Selection = None) -> Sample:
    """`excess_ratio` returns the initialization's test error, trained over closed form (mean log over σ).

    The mean MSE of twins is MSE(f̄) + mean ((f₊ − f₋)/2)² exactly, f̄ their mean: the second term is the
    initialization's error.
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
    """`increase` returns `measure` at the second σ minus `measure` at the first."""
    trained = node_of(tree, "trained", block, select, scales)
    low, high = (trained[measure].sel(scale=scale) for scale in scales)
    return per_seed(high - low, converged(trained, "scale"))


def growth(tree: xr.DataTree, block: str, scales: tuple[float, float], select: Selection = None) -> Sample:
    """`growth` returns the mean test MSE at the second σ over that at the first."""
    trained = node_of(tree, "trained", block, select, scales)
    pairs = per_seed(trained.test_mse, converged(trained, "scale"), "scale")
    return pairs.rebuilt(pairs.values, lambda units: float(units[:, 1].mean() / units[:, 0].mean()))


def variance_ratio(tree: xr.DataTree, block: str, source: str, select: Selection = None) -> Sample:
    """`variance_ratio` returns V of networks of finite width over the V that kernels alone predict.

    V is the mean of f_init² over test points at σ = 1; the prediction is its expectation over initializations
    of infinitely wide networks on the same data. Measured: ((f₊ − f₋)/2)²/σ^{2H} of twins at one σ that were
    trained (`source: trained`), or (f_∞ − f_int)²/σ^{2H} of linearized networks (`source: linearized`).
    """
    trained, sigma = node_of(tree, "trained", block, select), (select or {}).get("scale", 1)
    if source == "trained":
        share = half_difference(trained.test).where(converged(trained, "flip"))
    else:
        share = _functions(tree, block, source, select) - _functions(tree, block, "interpolant", select)
    measured = rms(share) ** 2 / sigma ** (2 * _power(trained, select))
    predicted = tree[f"reference/{block}"].to_dataset().limit_variance.mean("point")
    ratio = measured / predicted
    return per_seed(ratio, ratio.notnull())


def crossing_ratio(
    tree: xr.DataTree, block: str, centred: str, variance: str = "limit_variance", select: Selection = None
) -> Sample:
    """`crossing_ratio` returns the measured over the predicted σ*, at which the mean MSE of twins is twice
    the MSE of the centred network of the same width and seed, which is in the block `centred`.

    Measured: log-log interpolated in σ. Predicted before any training, from infinitely wide networks on the
    same data: (MSE_int/V)^{1/2H}, at which MSE_int + σ^{2H}V is twice MSE_int, with V the named variance at
    σ = 1.
    """
    trained, beside = node_of(tree, "trained", block, select), node_of(tree, "trained", centred, None)
    reference = tree[f"reference/{block}"].to_dataset()
    curves = trained.test_mse.mean("flip").where(converged(trained, "flip"))
    levels = 2 * beside.test_mse.where(converged(beside))
    limits = at(reference, block, "reference", "ntk").test_mse, reference[variance].mean("point")
    curves, levels, *limits = xr.align(curves, levels, *limits, join="inner")  # blocks may have other seeds
    usable = curves.notnull().all("scale") & levels.notnull()
    only_seeds(usable)
    degree, scales = _power(trained, select), trained.scale.values

    def ratio(curve: np.ndarray, level: float, mse_int: float, share: float) -> float:
        return last_rise(scales, curve, level) / crossing(mse_int, share, degree)

    dims = [["scale"], [], [], []]
    ratios = xr.apply_ufunc(ratio, curves, levels, *limits, input_core_dims=dims, vectorize=True)
    if bool((usable & ratios.isnull()).any()):
        raise NotEstimable("the error of some seed does not rise through twice the centred network's")
    return per_seed(ratios, usable)


def crossing_place(tree: xr.DataTree, block: str, centred: str, select: Selection = None) -> Sample:
    """`crossing_place` returns where the measured σ* lies between its two predictions: log(σ*/σ_limit) over
    log(σ_start/σ_limit), 0 at (MSE_int/V)^{1/2H} and 1 where V is mean f₀², not projected on the data.

    Measured: the σ at which the squared half difference of twins, a straight line in log-log over the block's
    σ, equals the MSE of the centred network of the same width and seed, in the block `centred`. So no σ need
    be near σ*, and no power is assumed. MSE_int is in both predictions and not in their quotient.
    """
    trained, beside = node_of(tree, "trained", block, select), node_of(tree, "trained", centred, None)
    reference = tree[f"reference/{block}"].to_dataset()
    share = (rms(half_difference(trained.test)) ** 2).where(converged(trained, "flip"))
    levels = beside.test_mse.where(converged(beside))
    mse_int = at(reference, block, "reference", "ntk").test_mse
    share, levels, mse_int = xr.align(share, levels, mse_int, join="inner")
    if share.sizes["scale"] < 2:
        raise NotEstimable("a crossing in σ needs two values of it")
    logs, x = np.log(share), np.log(share.scale)
    across = x - x.mean()
    slope = (logs * across).sum("scale", skipna=False) / (across**2).sum()
    measured = x.mean() + (np.log(levels) - logs.mean("scale", skipna=False)) / slope
    power = _power(trained, select)
    limit, start = (np.log(mse_int / reference[name].mean("point")) / (2 * power) for name in VARIANCES)
    place = (measured - limit) / (start - limit)
    return per_seed(place, place.notnull())


def variance_place(tree: xr.DataTree, block: str, source: str, select: Selection = None) -> Sample:
    """`variance_place` returns where the V of networks of finite width lies between its two predictions:
    log(V/V_limit) over log(V_start/V_limit), 0 at the initialization's share of the minimizer and 1 at the
    initial function, mean f₀². Logarithms are taken of the mean over seeds of V/V_limit: V is an expectation,
    and that of one network, where all points are alike, is the square of a single Gaussian.

    Measured is mean f² over test points, over σ^{2H}: of f_∞ − f_int of linearized networks (`source:
    linearized`) or of f₀ itself, before any training (`source: start`).
    """
    trained, sigma = node_of(tree, "trained", block, select), (select or {}).get("scale", 1)
    if source == "start":
        share = trained.start_test
    else:
        share = _functions(tree, block, source, select) - _functions(tree, block, "interpolant", select)
    reference = tree[f"reference/{block}"].to_dataset()
    limit, start = (reference[name].mean("point") for name in VARIANCES)
    measured = rms(share) ** 2 / sigma ** (2 * _power(trained, select))
    units = xr.concat([measured / limit, np.log(start / limit)], "of", join="inner")
    found = per_seed(units, units.notnull().all("of"), "of")
    return found.rebuilt(found.values, lambda of: float(np.log(of[:, 0].mean()) / of[:, 1].mean()))


def _power(trained: xr.Dataset, select: Selection) -> int:
    """`_power` returns the H of f₀ ∝ σ^H."""
    power = power_of_scale(trained, select or {})
    if power is None:
        raise NotEstimable("the initialization's share is a power of σ in ReLU and linear networks only")
    return power


def _functions(tree: xr.DataTree, block: str, source: str, select: Selection) -> xr.DataArray:
    """`_functions` returns what trained networks, or a predictor of that name, answer at the test points."""
    if source == "trained":
        return node_of(tree, "trained", block, select).test
    return at(node_of(tree, "predicted", block, select), block, "predictor", source).test
