"""Estimands of the study `networks`: how far trained networks end from what is predicted of them, each a
sample of one number per seed. A seed counts only where all networks that its number needs converged."""

import numpy as np
import xarray as xr

from minima.findings.functions import function_at, known, relative_gap
from minima.findings.measures import rms
from minima.findings.samples import Selection, node_of, slopes
from minima.findings.stats import NotEstimable, Sample
from studies.networks.steps import by_step

NETWORK = {"source": "trained"}


def slope_in_step(tree: xr.DataTree, block: str, method: str, to: str) -> Sample:
    """`slope_in_step` returns the log-log slope, against the step size, of the relative distance of the
    networks that a method trained from the prediction `to`."""
    curves = relative_gap(tree, block, ({"source": to}, NETWORK))
    curves = by_step(curves, tree[f"trained/{block}"].to_dataset(), method)
    return slopes(curves, curves.notnull().all("share"), "share")


def farthest(tree: xr.DataTree, block: str, source: str, select: Selection = None) -> Sample:
    """`farthest` returns ‖p − f‖/‖f‖ of the network f that is farthest from its prediction p by `source`,
    among all networks of a seed at the selected places."""
    gaps = relative_gap(tree, block, ({"source": source}, NETWORK), select)
    return known(gaps.max(_places(gaps), skipna=False))


def times_farther(tree: xr.DataTree, block: str, than: str, source: str, select: Selection = None) -> Sample:
    """`times_farther` returns how many times as far as from the prediction by `than` a network is from that
    by `source`, the least among all networks of a seed at the selected places."""
    near, far = (relative_gap(tree, block, ({"source": one}, NETWORK), select) for one in (than, source))
    return known((far / near).min(_places(near), skipna=False))


def times_farther_from_another_start(
    tree: xr.DataTree, block: str, source: str, select: Selection = None
) -> Sample:
    """`times_farther_from_another_start` returns how many times as far as from its own prediction a network
    is from that of another seed on the same data, the least among all networks of a seed at the selected
    places."""
    f, own = (function_at(tree, block, {"source": one}, select) for one in ("trained", source))
    other = own.isel(seed=_partners(node_of(tree, "trained", block, select))).assign_coords(seed=own.seed)
    times = rms(other - f) / rms(own - f)
    return known(times.min(_places(times), skipna=False))


def _partners(trained: xr.Dataset) -> list[int]:
    """`_partners` returns the position, for each seed, of the next seed with the same data."""
    if "split" not in trained.coords:
        raise NotEstimable("every seed of the block has data of its own")
    splits = trained.split.values
    groups = [np.flatnonzero(splits == split).tolist() for split in splits]
    if alone := trained.seed.values[[len(group) < 2 for group in groups]].tolist():
        raise NotEstimable(f"no other seed has the data of seed {alone[0]}")
    return [group[(group.index(row) + 1) % len(group)] for row, group in enumerate(groups)]


def _places(values: xr.DataArray) -> list[str]:
    return [str(dim) for dim in values.dims if dim != "seed"]
