"""What estimands share: a place of the dataset, and samples of it per seed."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from minima.findings.measures import shared
from minima.findings.stats import NotEstimable, Sample

Selection = Mapping[str, Any] | None


def node_of(
    tree: xr.DataTree, kind: str, block: str, select: Selection, scales: Sequence[float] = ()
) -> xr.Dataset:
    """A block's dataset at the selected places: those of its axes, or what all of its cells share."""
    node = tree[f"{kind}/{block}"].to_dataset()
    sections = shared(tree[f"trained/{block}"]).values()
    for dim, value in (select or {}).items():
        if dim in node.dims:
            node = at(node, block, dim, value)
        elif [part[dim] for part in sections if isinstance(part, dict) and dim in part] != [value]:
            raise NotEstimable(f"not in the dataset: {dim} {value} of block {block}")
    return at(node, block, "scale", list(scales)) if scales else node


def at(node: xr.Dataset, block: str, dim: str, value: Any) -> xr.Dataset:
    try:
        return node.sel({dim: value})
    except KeyError:
        raise NotEstimable(f"not in the dataset: {dim} {value} of block {block}") from None


def slopes(curves: xr.DataArray, usable: xr.DataArray, dim: str, over: float = 1.0) -> Sample:
    """Least-squares slope of the mean log(curve) against log(dim); whole curves are the units."""
    x = np.log(curves[dim].values)
    if len(x) < 2:
        raise NotEstimable(f"a slope in {dim} needs two values of it")
    kept = per_seed(curves, usable, dim)
    if not (kept.values > 0).all():
        raise NotEstimable("a distance is 0 or missing, which has no logarithm")

    def slope(units: np.ndarray) -> float:
        return float(np.polyfit(x, units.mean(axis=0), 1)[0] / over)

    return kept.rebuilt(np.log(kept.values), slope)


def per_seed(values: xr.DataArray, usable: xr.DataArray | None = None, *dims: str) -> Sample:
    """`per_seed` returns the usable seeds along the first axis, each the owner of its values; where it is not
    said which are usable, those whose value is known.

    Samples are made here and in `per_draw` alone. Which seeds share their data is no business of an
    estimand: the judge reads it off the blocks (`shared_data`) and pools those seeds, so that no estimand
    can lose it.
    """
    only_seeds(values, *dims)
    values, usable = xr.align(values, values.notnull() if usable is None else usable, join="inner")
    kept = usable.values
    return Sample(values.transpose("seed", *dims).values[kept], values.seed.values[kept], note=left_out(kept))


def most_per_seed(values: xr.DataArray) -> Sample:
    """`most_per_seed` returns the largest of each seed's networks and steps; NaN marks what is not known."""
    return per_seed(values.max([dim for dim in values.dims if dim != "seed"]))


def per_draw(draws: xr.DataArray) -> Sample:
    """`per_draw` returns every draw of an initialization on each seed's data as a unit of its own: for
    statements about the chance of a draw on given data."""
    draws = draws.transpose("seed", "draw")
    owners = [f"{seed}, draw {draw}" for seed in draws.seed.values for draw in range(draws.sizes["draw"])]
    return Sample(draws.values.ravel(), np.array(owners))


def shared_data(tree: xr.DataTree, blocks: Collection[str]) -> dict[int, str]:
    """`shared_data` returns the data set of each seed of these blocks that shares its data with other
    seeds."""
    found: dict[int, str] = {}
    for node in (tree["trained"][block].to_dataset() for block in tree["trained"] if block in blocks):
        if "split" in node.coords:
            numbers = zip(node.seed.values.tolist(), node.split.values.tolist(), strict=True)
            found |= {seed: f"split {number}" for seed, number in numbers}
    return found


def only_seeds(values: xr.DataArray, *dims: str) -> None:
    if extra := set(values.dims) - {"seed", *dims}:
        raise NotEstimable(f"select one value of {', '.join(sorted(map(str, extra)))}")


def left_out(kept: np.ndarray) -> str:
    count = int((~kept).sum())
    return f"{count} of {len(kept)} seeds left out: not all of their networks converged" if count else ""
