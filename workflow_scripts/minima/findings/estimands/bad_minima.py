"""Estimands of the study `bad_minima` (arXiv:1906.02613): what fitting random labels first does to SGD.

Each compares networks of a seed that start at random with those that start adversarially, where SGD ended on
random labels. A seed counts only where every network it needs puts the stated fraction of its training points
in the right class. Accuracies are in points of a hundred.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from minima.findings.measures import crossings
from minima.findings.samples import Selection, at, node_of, per_seed
from minima.findings.stats import NotEstimable, Sample

RANDOM = {"init": "random"}
ADVERSARIAL = {"init": "adversarial"}


def drop(
    tree: xr.DataTree,
    block: str,
    of: Selection = None,
    beside: str = "",
    than: Selection = None,
    fitted: float = 1.0,
    converged: bool = False,
) -> Sample:
    """Test accuracy from a random start minus that from the start `of`, per seed.

    The random starts are those of the block, or of the block `beside`, at the place `than`. `converged`: only
    networks count that came to the goal of their stop rule.
    """
    led = _place(tree, block, of or ADVERSARIAL, fitted, converged)
    plain = _place(tree, beside or block, than or ({} if beside else RANDOM), fitted, converged)
    return _sample(_lost(led, plain))


def drop_ratio(
    tree: xr.DataTree, block: str, of: Selection, over: Selection, converged: bool = False
) -> Sample:
    """Mean drop from the start `of` over that from the start `over`; seeds resampled together."""
    plain = _place(tree, block, RANDOM, 1.0, converged)
    drops = [_lost(_place(tree, block, start, 1.0, converged), plain) for start in (of, over)]
    return _paired(*drops, lambda units: float(units[:, 0].mean() / units[:, 1].mean()))


def drop_avoided(
    tree: xr.DataTree, block: str, by: Mapping[str, Any], instead_of: Mapping[str, Any], fitted: float = 1.0
) -> Sample:
    """Drop under one regime minus that under another, `by`, per seed."""
    both = [
        _place(tree, block, start | regime, fitted)
        for regime in (dict(instead_of), dict(by))
        for start in (ADVERSARIAL, RANDOM)
    ]
    before, after = (_lost(led, plain) for led, plain in (both[:2], both[2:]))
    return _sample(before - after)


def dose(tree: xr.DataTree, block: str, beside: str, copies: tuple[int, int]) -> Sample:
    """The drop at the second R of `copies` minus that at the first, per seed."""
    plain = _place(tree, beside, {}, 1.0)
    few, many = (_lost(_place(tree, block, {"copies": r}, 1.0), plain) for r in copies)
    return _sample(many.drop_vars("copies") - few.drop_vars("copies"))


def ratio(
    tree: xr.DataTree,
    block: str,
    of: str,
    select: Selection = None,
    fitted: float = 1.0,
    pretraining: str = "",
) -> Sample:
    """A quantity from the adversarial start over that from the random one, per seed: `distance` travelled,
    `path_norm`, `crossings` of the boundary. Where the block of the `pretraining` is named, only seeds
    count in which it came to its goal."""
    found = _over_random(tree, block, of, select, fitted)
    if pretraining:
        found = found.where(tree[f"trained/{pretraining}"].to_dataset().status == "converged")
    return _sample(found)


def steps_ratio(tree: xr.DataTree, block: str, select: Selection, beside: str) -> Sample:
    """Epochs until all training points are right, from the start of `select` over those from a random start
    of the block `beside`, per seed."""
    led, plain = _place(tree, block, select, 1.0), _place(tree, beside, {}, 1.0)
    return _sample(led.steps / plain.steps)


def ratio_of_ratios(tree: xr.DataTree, of: str, block: str, over: str, fitted: float = 0.995) -> Sample:
    """The ratio of `of` in one block over that in another, geometric mean per seed."""
    logs = [np.log(_over_random(tree, name, of, None, fitted)) for name in (block, over)]
    return _paired(*logs, lambda units: float(np.exp((units[:, 0] - units[:, 1]).mean())))


def _place(
    tree: xr.DataTree, block: str, select: Selection, fitted: float, converged: bool = False
) -> xr.Dataset:
    """A block's networks at one place; those that do not fit, or did not come to their goal, are NaN."""
    node = node_of(tree, "trained", block, {})
    for dim, value in (select or {}).items():
        if dim not in node.dims:
            raise NotEstimable(f"not in the dataset: axis {dim} of block {block}")
        node = at(node, block, dim, value)
    ended = node.status == "converged" if converged else node.status != "diverged"
    fits = ended & (node.train_error <= 1 - fitted + 1e-9)
    numbers = [name for name, v in node.data_vars.items() if v.dtype.kind == "f" and "seed" in v.dims]
    return node[numbers].where(fits)


def _lost(led: xr.Dataset, plain: xr.Dataset) -> xr.DataArray:
    """Test accuracy of one start less than of another, in points."""
    return 100 * (led.test_error - plain.test_error)


def _over_random(
    tree: xr.DataTree, block: str, quantity: str, select: Selection, fitted: float
) -> xr.DataArray:
    """A quantity from the adversarial start over that from the random one."""
    led, plain = (
        _quantity(_place(tree, block, {**(select or {}), **start}, fitted), quantity)
        for start in (ADVERSARIAL, RANDOM)
    )
    return led / plain


def _quantity(node: xr.Dataset, name: str) -> xr.DataArray:
    """One number per network."""
    if name == "distance":
        return np.sqrt((node.distance**2).sum("layer", skipna=False))
    if name == "path_norm":
        return node.path_norm.isel(power=1, drop=True)
    if name == "crossings":
        return crossings(node.plane)
    raise NotEstimable(f"no quantity {name}: distance, path_norm or crossings")


def _sample(values: xr.DataArray, *dims: str) -> Sample:
    """The seeds with finite values."""
    found = per_seed(values, np.isfinite(values).all(dims), *dims)
    return replace(found, note=found.note.replace("converged", "fit their training points as asked"))


def _paired(one: xr.DataArray, other: xr.DataArray, statistic: Callable[[np.ndarray], float]) -> Sample:
    """Both values of the seeds that have both [n, 2]."""
    one, other = (values.reset_coords(drop=True) for values in xr.align(one, other, join="inner"))
    found = _sample(xr.concat([one, other], dim="pair"), "pair")
    return found.rebuilt(found.values, statistic)
