"""Estimands of the study `init_size` (arXiv:2011.02408): the size of the initialization and the minimizer.

Each takes a study's dataset and says what it finds per seed. A seed counts only where every network it needs
converged. Distances are in function space: root mean square over test points and outputs.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from minima.findings.measures import converged, half_difference, power_of_scale, rms
from minima.findings.stats import NotEstimable, Sample

Selection = Mapping[str, Any] | None


def slope_in_width(tree: xr.DataTree, block: str, to: str, select: Selection = None) -> Sample:
    """Log-log slope in width of ‖net − p‖/‖p‖, p the predicted minimizer `to`; curves per seed."""
    trained, predicted = _node(tree, "trained", block, select), _node(tree, "predicted", block, select)
    target = _at(predicted, block, "predictor", to).test
    curves = rms(trained.test - target) / rms(target)
    return _slopes(curves, converged(trained, "width"), "width")


def gap(tree: xr.DataTree, block: str, between: tuple[str, str], select: Selection = None) -> Sample:
    """Largest ‖p − q‖/‖q‖ of a seed over the block, between two predicted minimizers."""
    predicted = _node(tree, "predicted", block, select)
    first, second = (_at(predicted, block, "predictor", name).test for name in between)
    gaps = rms(first - second) / rms(second)
    if bool(gaps.isnull().any()):
        raise NotEstimable(f"{between[0]} or {between[1]} is missing for some network")
    return Sample(gaps.max([dim for dim in gaps.dims if dim != "seed"]).values)


def share_slope(
    tree: xr.DataTree, block: str, source: str = "trained", over: float = 1.0, select: Selection = None
) -> Sample:
    """Log-log slope in σ of the initialization's share ‖(f₊ − f₋)/2‖ over flipped pairs, divided by `over`;
    curves per seed. `source` is `trained` or a predicted minimizer."""
    trained = _node(tree, "trained", block, select)
    share = rms(half_difference(_functions(tree, block, source, select)))
    return _slopes(share, converged(trained, "scale", "flip"), "scale", over)


def excess_ratio(tree: xr.DataTree, block: str, select: Selection = None) -> Sample:
    """The initialization's test error, trained over closed form, per seed (geometric mean over σ).

    Over a flipped pair the mean MSE is MSE(f̄) + mean ((f₊ − f₋)/2)² exactly, f̄ the pair's mean: the second
    term is the initialization's error.
    """
    trained = _node(tree, "trained", block, select)
    usable = converged(trained, "scale", "flip")
    excess = [
        rms(half_difference(_functions(tree, block, source, select))) ** 2
        for source in ("trained", "linearized")
    ]
    ratio = np.log(excess[0] / excess[1]).mean("scale")
    return _per_seed(np.exp(ratio), usable)


def increase(
    tree: xr.DataTree, block: str, scales: tuple[float, float], measure: str, select: Selection = None
) -> Sample:
    """`measure` at the second σ minus at the first, per seed."""
    trained = _node(tree, "trained", block, select, scales)
    low, high = (trained[measure].sel(scale=scale) for scale in scales)
    return _per_seed(high - low, converged(trained, "scale"))


def growth(tree: xr.DataTree, block: str, scales: tuple[float, float], select: Selection = None) -> Sample:
    """Mean test MSE at the second σ over that at the first; pairs per seed."""
    trained = _node(tree, "trained", block, select, scales)
    pairs = _per_seed(trained.test_mse, converged(trained, "scale"), "scale")
    return Sample(pairs.values, lambda units: float(units[:, 1].mean() / units[:, 0].mean()), pairs.note)


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
    data: (MSE_int/V)^{1/2H}, with V the named variance at σ = 1.
    """
    trained = _node(tree, "trained", block, select)
    beside = _node(tree, "trained", centred, select_centred)
    reference = tree[f"reference/{block}"].to_dataset()
    usable = converged(trained, "scale") & converged(beside)
    _only_seeds(usable)
    depth = power_of_scale(trained, select or {})
    if depth is None:
        raise NotEstimable("the initialization's share is a power of σ in ReLU and linear networks only")
    scales = trained.scale.values
    usable, curves, *levels = xr.align(  # the blocks may have different seeds, fixed data have none
        usable,
        trained.test_mse,
        beside.test_mse,
        _at(reference, block, "reference", "ntk").test_mse,
        reference[variance].mean("point"),
        join="inner",
    )
    columns = np.column_stack(
        [
            curves.transpose("seed", "scale").values,
            *(level.broadcast_like(usable).values for level in levels),
        ]
    )

    def ratio(units: np.ndarray) -> float:
        *curve, centred_mse, mse_int, share = units.mean(axis=0)
        predicted = (mse_int / share) ** (0.5 / depth)
        return float(_crossing(scales, np.array(curve), 2 * centred_mse) / predicted)

    kept = usable.values
    return Sample(columns[kept], ratio, _note(kept))


def _crossing(scales: np.ndarray, curve: np.ndarray, level: float) -> float:
    """The last σ at which the curve rises through the level; NaN where it does not."""
    above = curve > level
    rising = np.flatnonzero(~above[:-1] & above[1:])
    if not len(rising):
        return np.nan
    left = rising[-1]
    x, y = np.log(scales[left : left + 2]), np.log(curve[left : left + 2])
    return float(np.exp(np.interp(np.log(level), y, x)))


def _node(
    tree: xr.DataTree, kind: str, block: str, select: Selection, scales: Sequence[float] = ()
) -> xr.Dataset:
    """A block's dataset at the selected places: those of its axes, or what all of its cells share."""
    node = tree[f"{kind}/{block}"].to_dataset()
    shared = json.loads(tree[f"trained/{block}"].attrs["fixed"])
    for dim, value in (select or {}).items():
        if dim in node.dims:
            node = _at(node, block, dim, value)
        elif [part[dim] for part in shared.values() if isinstance(part, dict) and dim in part] != [value]:
            raise NotEstimable(f"not in the dataset: {dim} {value} of block {block}")
    return _at(node, block, "scale", list(scales)) if scales else node


def _at(node: xr.Dataset, block: str, dim: str, value: Any) -> xr.Dataset:
    try:
        return node.sel({dim: value})
    except KeyError:
        raise NotEstimable(f"not in the dataset: {dim} {value} of block {block}") from None


def _functions(tree: xr.DataTree, block: str, source: str, select: Selection) -> xr.DataArray:
    if source == "trained":
        return _node(tree, "trained", block, select).test
    return _at(_node(tree, "predicted", block, select), block, "predictor", source).test


def _slopes(curves: xr.DataArray, usable: xr.DataArray, dim: str, over: float = 1.0) -> Sample:
    """Least-squares slope of the mean log(curve) against log(dim); whole curves are the units."""
    x = np.log(curves[dim].values)
    if len(x) < 2:
        raise NotEstimable(f"a slope in {dim} needs two values of it")
    kept = _per_seed(curves, usable, dim)
    if not (kept.values > 0).all():
        raise NotEstimable("a distance is 0 or missing, which has no logarithm")

    def slope(units: np.ndarray) -> float:
        return float(np.polyfit(x, units.mean(axis=0), 1)[0] / over)

    return Sample(np.log(kept.values), slope, kept.note)


def _per_seed(values: xr.DataArray, usable: xr.DataArray, *dims: str) -> Sample:
    """Usable seeds along the first axis."""
    _only_seeds(values, *dims)
    kept = usable.values
    return Sample(values.transpose("seed", *dims).values[kept], note=_note(kept))


def _only_seeds(values: xr.DataArray, *dims: str) -> None:
    if extra := set(values.dims) - {"seed", *dims}:
        raise NotEstimable(f"select one value of {', '.join(sorted(map(str, extra)))}")


def _note(kept: np.ndarray) -> str:
    left_out = int((~kept).sum())
    return (
        f"{left_out} of {len(kept)} seeds left out: not all of their networks converged" if left_out else ""
    )
