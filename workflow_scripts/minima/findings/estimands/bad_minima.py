"""Estimands of the study `bad_minima` (arXiv:1906.02613): what fitting random labels first does to SGD.

Each compares networks of a seed that start at random with those that start adversarially, where SGD ended on
random labels. A seed counts only where every network it needs puts the stated fraction of its training points
in the right class. Accuracies are in points of a hundred.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from minima.findings.measures import crossings
from minima.findings.samples import Selection, at, left_out, node_of, only_seeds
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
    spare: int = 0,
) -> Sample:
    """Test accuracy from a random start minus that from the start `of`, per seed, without `spare` of them.

    The random starts are those of the block, or of the block `beside`, at the place `than`.
    """
    led = _place(tree, block, of or ADVERSARIAL, fitted)
    plain = _place(tree, beside or block, than or ({} if beside else RANDOM), fitted)
    return _sample(100 * (led.test_error - plain.test_error), spare)


def drop_ratio(tree: xr.DataTree, block: str, of: Selection, over: Selection) -> Sample:
    """Mean drop from the start `of` over that from the start `over`; seeds resampled together."""
    drops = [drop(tree, block, selection).values for selection in (of, over)]
    if len(drops[0]) != len(drops[1]):
        raise NotEstimable("the two starts fit in different seeds")
    return Sample(np.column_stack(drops), lambda units: float(units[:, 0].mean() / units[:, 1].mean()))


def drop_avoided(
    tree: xr.DataTree, block: str, by: Mapping[str, Any], instead_of: Mapping[str, Any], fitted: float = 1.0
) -> Sample:
    """Drop under one regime minus that under another, `by`, per seed."""
    both = [
        _place(tree, block, start | regime, fitted)
        for regime in (dict(instead_of), dict(by))
        for start in (ADVERSARIAL, RANDOM)
    ]
    before, after = (100 * (led.test_error - plain.test_error) for led, plain in (both[:2], both[2:]))
    return _sample(before - after)


def dose(tree: xr.DataTree, block: str, beside: str, copies: Sequence[int], ends: bool = False) -> Sample:
    """Least increase of the mean drop from one R of `copies` to the next, seeds resampled together; with
    `ends`, the drop at the last R minus that at the first, per seed."""
    plain = _place(tree, beside, {}, 1.0)
    drops = xr.concat(
        [100 * (_place(tree, block, {"copies": r}, 1.0).test_error - plain.test_error) for r in copies],
        dim="dose",
        coords="minimal",
        compat="override",
    )
    if ends:
        return _sample(drops.isel(dose=-1) - drops.isel(dose=0))
    values = drops.transpose("seed", "dose").values
    kept = np.isfinite(values).all(1)
    return Sample(values[kept], lambda units: float(np.diff(units.mean(axis=0)).min()), _note(kept))


def ratio(
    tree: xr.DataTree,
    block: str,
    of: str,
    select: Selection = None,
    spare: int = 0,
    fitted: float = 1.0,
    pretraining: str = "",
) -> Sample:
    """A quantity from the adversarial start over that from the random one, per seed, without the `spare`
    greatest (least, of crossings): `distance` travelled, `path_norm`, `crossings` of the boundary. Where the
    block of the `pretraining` is named, only seeds count in which it came to its goal."""
    led, plain = (
        _quantity(_place(tree, block, {**(select or {}), **start}, fitted), of)
        for start in (ADVERSARIAL, RANDOM)
    )
    if pretraining:
        led = led.where(tree[f"trained/{pretraining}"].to_dataset().status == "converged")
    return _sample(led / plain, spare, least=of == "crossings")


def steps_ratio(tree: xr.DataTree, block: str, select: Selection, beside: str, spare: int = 0) -> Sample:
    """Epochs until all training points are right, from the start of `select` over those from a random start
    of the block `beside`, per seed, without the `spare` greatest."""
    led, plain = _place(tree, block, select, 1.0), _place(tree, beside, {}, 1.0)
    return _sample(led.steps / plain.steps, spare, least=False)


def ratio_of_ratios(tree: xr.DataTree, of: str, block: str, over: str, fitted: float = 0.995) -> Sample:
    """The ratio of `of` in one block over that in another, geometric mean per seed."""
    first, second = ratio(tree, block, of, fitted=fitted), ratio(tree, over, of, fitted=fitted)
    if len(first.values) != len(second.values):
        raise NotEstimable("the two blocks fit in different seeds")
    return Sample(
        np.log(np.column_stack([first.values, second.values])),
        lambda units: float(np.exp((units[:, 0] - units[:, 1]).mean())),
    )


def _place(tree: xr.DataTree, block: str, select: Selection, fitted: float) -> xr.Dataset:
    """A block's networks at one place; those that do not fit are NaN."""
    node = node_of(tree, "trained", block, {})
    for dim, value in (select or {}).items():
        if dim not in node.dims:
            raise NotEstimable(f"not in the dataset: axis {dim} of block {block}")
        node = at(node, block, dim, value)
    fits = (node.status != "diverged") & (node.train_error <= 1 - fitted + 1e-9)
    numbers = [name for name, v in node.data_vars.items() if v.dtype.kind == "f" and "seed" in v.dims]
    return node[numbers].where(fits)


def _quantity(node: xr.Dataset, name: str) -> xr.DataArray:
    """One number per network."""
    if name == "distance":
        return np.sqrt((node.distance**2).sum("layer", skipna=False))
    if name == "path_norm":
        return node.path_norm.isel(power=1, drop=True)
    if name == "crossings":
        return crossings(node.plane)
    raise NotEstimable(f"no quantity {name}: distance, path_norm or crossings")


def _sample(values: xr.DataArray, spare: int = 0, least: bool = True) -> Sample:
    """Finite values per seed. Claims about k of n seeds spare n − k: first the seeds that are left out, which
    count as missed, then the least values, or the greatest."""
    only_seeds(values)
    kept = np.isfinite(values.values)
    found = np.sort(values.values[kept])
    misses = max(spare - int((~kept).sum()), 0)
    if spare:
        found = found[misses:] if least else found[: len(found) - misses]
    return Sample(found if spare else values.values[kept], note=_note(kept))


def _note(kept: np.ndarray) -> str:
    return left_out(kept).replace("converged", "fit their training points")
