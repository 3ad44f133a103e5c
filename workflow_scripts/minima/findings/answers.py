"""The answer at each place of a grid: the minimizer that most of its networks found."""

from collections import Counter

import numpy as np
import pandas as pd
import xarray as xr

from minima.findings.curves import places
from minima.findings.nearest import NONE, named
from minima.findings.stats import mean_interval
from minima.findings.words import label

COLUMNS = ["panel", "x_axis", "x_label", "y_axis", "y_label", "nearest", "votes", "n"]
COLUMNS += ["candidate", "estimate", "low", "high", "lead", "spread"]


def tabulate(tree: xr.DataTree, block: str) -> pd.DataFrame:
    """One row per place of the grid: the first axis along x, the second along y, a panel per place of others.

    `candidate` is the minimizer whose distance is told; `spread` is that distance over the seed spread, NaN
    where each seed has data of its own.
    """
    node, status = tree[f"nearest/{block}"].to_dataset(), tree[f"trained/{block}"].ds.status
    x, y, *_ = [*(str(dim) for dim in status.dims if dim != "seed"), "", ""]
    rows = []
    for panel, here in places(status, x, y, "seed"):
        for _, inner in places(status.sel(here), "seed"):
            place = here | inner
            axes = [part for axis in (x, y) for part in (axis, label(inner.get(axis, "")))]
            rows.append((panel, *axes, *_answer(node.sel(place), status.sel(place))))
    return pd.DataFrame(rows, columns=COLUMNS)


def _answer(node: xr.Dataset, status: xr.DataArray) -> tuple:
    """`_answer` returns the verdict that most converged seeds give (of two, the nearer), how many of how
    many, the candidate that it is about, that one's mean distance over all converged seeds with its
    interval, its mean lead over the seeds of the verdict, and the distance over the spread."""
    converged = (status == "converged").values
    verdicts = node.nearest.values[converged] if converged.any() else status.values
    counts = Counter(verdicts.tolist())
    means = dict(zip(node.minimizer.values.tolist(), node.distance_to.mean("seed").values, strict=True))

    def candidate(verdict: str) -> str:
        """The nearest of those that are named, of all where none is."""
        among = [name for name in (means if verdict == NONE else named(verdict)) if name in means]
        return min(among, key=lambda name: np.nan_to_num(means[name], nan=np.inf), default="")

    verdict = min(counts, key=lambda one: (-counts[one], means.get(candidate(one), np.inf)))
    name, votes = candidate(verdict), counts[verdict]
    if not name:
        return verdict, votes, int(converged.sum()), name, *[np.nan] * 5
    distance = mean_interval(node.distance_to.sel(minimizer=name).values)
    lead = float(node.nearest_lead.where(node.nearest == verdict).mean())
    spread = distance.estimate / float(node.seed_spread) if "seed_spread" in node else np.nan
    return verdict, votes, distance.n, name, *distance[:3], lead, spread
