"""Estimands of two or four functions of a block, named as `minima.findings.functions` says: each returns a
sample of one number per seed, of the seeds for which all functions that are compared are there."""

import xarray as xr

from minima.findings.functions import Pair, cosines, gap, known, relative_gap
from minima.findings.samples import Selection
from minima.findings.stats import Sample


def distance(tree: xr.DataTree, block: str, between: Pair, select: Selection = None) -> Sample:
    """`distance` returns ‖f − g‖/‖g‖."""
    return known(relative_gap(tree, block, between, select))


def ratio(tree: xr.DataTree, block: str, of: Pair, over: Pair, select: Selection = None) -> Sample:
    """`ratio` returns ‖f − g‖ of one pair of functions over that of another pair."""
    return known(gap(tree, block, of, select) / gap(tree, block, over, select))


def cosine(tree: xr.DataTree, block: str, of: Pair, to: Pair, select: Selection = None) -> Sample:
    """`cosine` returns the cosine between the differences f − g of two pairs, over points and outputs."""
    return known(cosines(tree, block, of, to, select))
