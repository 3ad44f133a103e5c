"""Estimands of the study `bad_minima` (arXiv:1906.02613): what fitting random labels first does to SGD.

An estimand compares, seed by seed, networks that start adversarially (where SGD ended on random labels), or
from another start, with networks that start at random. A seed counts only where every network that it needs
puts the stated fraction of its training points in the right class. Accuracies are in points of a hundred. A
`place` of a block is that of the other start, the adversarial one where the place names none; the random
start is taken at the same place.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import xarray as xr

from minima.findings.samples import Selection, at, node_of, per_seed
from minima.findings.stats import NotEstimable, Sample
from studies.bad_minima.plane import crossings

RANDOM = {"init": "random"}
ADVERSARIAL = {"init": "adversarial"}


def drop(
    tree: xr.DataTree,
    block: str,
    place: Selection = None,
    beside: str = "",
    fitted: float = 1.0,
    converged: bool = False,
) -> Sample:
    """`drop` returns, per seed, the test accuracy from a random start minus that from the start of `place`.
    The random starts are those of the block `beside` where one is named. With `converged`, networks count
    only where they came to the goal of their stop rule."""
    if not beside:
        return _sample(_drop(tree, block, place, fitted, converged))
    led = _place(tree, block, place, fitted, converged)
    return _sample(_lost(led, _place(tree, beside, RANDOM, fitted, converged)))


def drop_difference(
    tree: xr.DataTree,
    block: str,
    place: Selection,
    than: Selection,
    fitted: float = 1.0,
    converged: bool = False,
) -> Sample:
    """`drop_difference` returns, per seed, the drop at `place` minus the drop at `than`."""
    drops = [_drop(tree, block, one, fitted, converged) for one in (place, than)]
    return _sample(drops[0] - drops[1])


def drop_ratio(
    tree: xr.DataTree,
    block: str,
    place: Selection,
    over: Selection,
    fitted: float = 1.0,
    converged: bool = False,
) -> Sample:
    """`drop_ratio` returns, per seed, the drop at `place` over the drop at `over`."""
    drops = [_drop(tree, block, one, fitted, converged) for one in (place, over)]
    return _sample(drops[0] / drops[1])


def dose(tree: xr.DataTree, block: str, beside: str, copies: Sequence[int]) -> Sample:
    """`dose` returns, per seed, the drop at the last R of `copies` minus that at the first. The random
    starts, which have no R, are those of the block `beside`."""
    plain = _place(tree, beside, {}, 1.0)
    first, last = (_lost(_place(tree, block, {"copies": r}, 1.0), plain) for r in (copies[0], copies[-1]))
    return _sample(last - first)


def ratio(
    tree: xr.DataTree,
    block: str,
    of: str,
    place: Selection = None,
    fitted: float = 1.0,
    pretraining: str = "",
) -> Sample:
    """`ratio` returns, per seed, a quantity from the start of `place` over that from the random start:
    `distance` travelled, `path_norm`, or `crossings` of the boundary. Where the block of the `pretraining` is
    named, a seed counts only where its pretraining came to its goal."""
    found = _over_random(tree, block, of, place, fitted)
    if pretraining:
        found = found.where(tree[f"trained/{pretraining}"].to_dataset().status == "converged")
    return _sample(found)


def ratio_of_ratios(tree: xr.DataTree, of: str, block: str, over: str, fitted: float = 0.995) -> Sample:
    """`ratio_of_ratios` returns, per seed, the ratio of `of` (adversarial over random start) in one block
    over the same ratio in another."""
    one, other = (_over_random(tree, name, of, None, fitted) for name in (block, over))
    return _sample(one / other)


def change(tree: xr.DataTree, block: str, place: Selection = None, fitted: float = 1.0) -> Sample:
    """`change` returns, per seed, the ℓ2 path norm at the end of a block's training over that at its
    start."""
    node = _place(tree, block, ADVERSARIAL | dict(place or {}), fitted)
    begun = node.path_norm_path.sel(step=0).isel(power=1, drop=True)
    return _sample(_quantity(node, "path_norm") / begun)


def steps_ratio(tree: xr.DataTree, block: str, place: Selection, beside: str) -> Sample:
    """`steps_ratio` returns, per seed, the steps until all training points are right from the start of
    `place` over those from a random start of the block `beside`."""
    led, plain = _place(tree, block, place, 1.0), _place(tree, beside, {}, 1.0)
    return _sample(led.steps / plain.steps)


def _place(
    tree: xr.DataTree, block: str, place: Selection, fitted: float, converged: bool = False
) -> xr.Dataset:
    """`_place` returns a block's networks at one place, along seeds; the numbers of those that do not fit, or
    did not come to their goal, are NaN."""
    node = node_of(tree, "trained", block, {})
    for dim, value in (place or {}).items():
        if dim not in node.dims:
            raise NotEstimable(f"not in the dataset: axis {dim} of block {block}")
        node = at(node, block, dim, value)
    ended = node.status == "converged" if converged else node.status != "diverged"
    fits = ended & (node.train_error <= 1 - fitted + 1e-9)
    numbers = [name for name, v in node.data_vars.items() if v.dtype.kind == "f" and "seed" in v.dims]
    return node[numbers].where(fits)


def _drop(
    tree: xr.DataTree, block: str, place: Selection, fitted: float, converged: bool = False
) -> xr.DataArray:
    """`_drop` returns the drop along seeds; NaN where one of both networks does not count."""
    led, plain = (_place(tree, block, one, fitted, converged) for one in _both(place))
    return _lost(led, plain)


def _both(place: Selection) -> tuple[Selection, Selection]:
    """`_both` returns the place of the other start, adversarial where it names none, and that of the random
    start."""
    return ADVERSARIAL | dict(place or {}), dict(place or {}) | RANDOM


def _lost(led: xr.Dataset, plain: xr.Dataset) -> xr.DataArray:
    """`_lost` returns the test accuracy that one start has less than another, in points."""
    return 100 * (led.test_error - plain.test_error)


def _over_random(
    tree: xr.DataTree, block: str, quantity: str, place: Selection, fitted: float
) -> xr.DataArray:
    """`_over_random` returns a quantity from the start of `place` over that from the random one, along
    seeds."""
    led, plain = (_quantity(_place(tree, block, one, fitted), quantity) for one in _both(place))
    return led / plain


def _quantity(node: xr.Dataset, name: str) -> xr.DataArray:
    """`_quantity` returns one number per network."""
    if name == "distance":
        return np.sqrt((node.distance**2).sum("layer", skipna=False))
    if name == "path_norm":
        return node.path_norm.isel(power=1, drop=True)
    if name == "crossings":
        return crossings(node.plane)
    raise NotEstimable(f"no quantity {name}: distance, path_norm or crossings")


def _sample(values: xr.DataArray) -> Sample:
    """`_sample` returns the seeds with finite values, and says how many have none."""
    found = per_seed(values, np.isfinite(values))
    return replace(found, note=found.note.replace("converged", "fit their training points as asked"))
