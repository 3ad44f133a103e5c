"""The answer over a block's grid, with the networks behind it: what a cell of a map opens."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from minima.findings.answers import tabulate
from minima.findings.curves import places
from minima.findings.words import is_known, number

if TYPE_CHECKING:
    from minima.plan.grid import Grid

POINTS = 24  # of a loss curve, at most
WIDTH, HEIGHT = 320, 110  # of the picture of the curves at a place


@dataclass(frozen=True)
class Network:
    """A trained network: the digest of its cell, what became of it, its distances from the minimizers of its
    map, and its loss at some of its steps."""

    cell: str
    seed: str
    status: str
    steps: int
    nearest: str
    distances: list[float | None]
    curve: list[tuple[int, float]]

    @property
    def least(self) -> float | None:
        """`least` returns the distance from the nearest, also where that is too far to be named."""
        return min((distance for distance in self.distances if distance is not None), default=None)


@dataclass(frozen=True)
class Place:
    """A place of a block's grid: the verdict of most of `n` converged seeds, the candidate that it is about,
    which is the nearest where it names none, and how far that one stands. Several maps lie side by side where
    the grid has more than two axes: `panel` says where."""

    panel: str
    x: str
    y: str
    nearest: str
    votes: int
    n: int
    candidate: str
    distance: float | None
    networks: list[Network]


@dataclass(frozen=True)
class NearestMap:
    """Which minimizers a block's networks converged to: how many to each, and the answer at each place."""

    block: str
    x_axis: str
    y_axis: str
    minimizers: list[str]
    counts: list[tuple[str, int]]
    places: list[Place]

    @property
    def networks(self) -> int:
        return sum(count for _, count in self.counts)

    @property
    def converged(self) -> bool:
        """Whether any network did."""
        return any(is_known(place.distance) for place in self.places)

    @property
    def panels(self) -> list[tuple[str, list[str], list[tuple[str, list[Place | None]]]]]:
        """`panels` returns title, labels along x, and rows of places by their label along y."""
        found = []
        for title in dict.fromkeys(place.panel for place in self.places):
            here = {(place.x, place.y): place for place in self.places if place.panel == title}
            wide, high = (list(dict.fromkeys(labels)) for labels in zip(*here, strict=True))
            found.append((title, wide, [(y, [here.get((x, y)) for x in wide]) for y in high]))
        return found

    def words(self, place: Place) -> str:
        """`words` returns where a place is."""
        axes = [(self.x_axis, place.x), (self.y_axis, place.y)]
        return ", ".join(filter(None, [place.panel, *(f"{axis} {label}" for axis, label in axes if axis)]))


def map_of(tree: xr.DataTree, block: str, grid: "Grid") -> NearestMap:
    """`map_of` returns a block's map from the study's dataset; `grid` names the cells."""
    node, trained = tree[f"nearest/{block}"].to_dataset(), tree[f"trained/{block}"].to_dataset()
    status = trained.status
    table = tabulate(tree, block)
    cells = status.copy(data=np.array([cell.digest for cell in grid.cells]).reshape(status.shape))
    x, y, *_ = [*(str(dim) for dim in status.dims if dim != "seed"), "", ""]
    where = [
        here | inner
        for _, here in places(status, x, y, "seed")
        for _, inner in places(status.sel(here), "seed")
    ]
    found = [
        Place(
            row.panel,
            row.x_label,
            row.y_label,
            row.nearest,
            row.votes,
            row.n,
            row.candidate,
            _rounded(row.estimate),
            _networks(node.sel(place), trained.sel(place), cells.sel(place)),
        )
        for row, place in zip(table.itertuples(), where, strict=True)
    ]
    counts = Counter(node.nearest.values.ravel().tolist())
    return NearestMap(block, x, y, node.minimizer.values.tolist(), counts.most_common(), found)


def read_map(content: dict[str, Any]) -> NearestMap:
    """`read_map` returns a map from what JSON keeps of it."""
    found = [
        Place(**place | {"networks": [Network(**network) for network in place["networks"]]})
        for place in content["places"]
    ]
    return NearestMap(**content | {"counts": [*map(tuple, content["counts"])], "places": found})


def _networks(node: xr.Dataset, trained: xr.Dataset, cells: xr.DataArray) -> list[Network]:
    seeds = trained.seed.values.tolist()
    status, nearest, steps = trained.status.values, node.nearest.values, trained.steps.values
    distances = node.distance_to.transpose("seed", "minimizer").values.tolist()
    losses = trained.loss.transpose("seed", "step").values if "loss" in trained else None
    return [
        Network(
            str(cells.values[row]),
            str(seed),
            str(status[row]),
            int(steps[row]) if is_known(float(steps[row])) else 0,
            str(nearest[row]),
            [_rounded(distance) for distance in distances[row]],
            [] if losses is None else thinned(trained.step.values, losses[row]),
        )
        for row, seed in enumerate(seeds)
    ]


def thinned(steps: Sequence[float], losses: Sequence[float]) -> list[tuple[int, float]]:
    """`thinned` returns at most `POINTS` points of a curve, first and last among them, to three digits;
    those that are no numbers are left out."""
    known = [(int(s), float(f"{v:.2e}")) for s, v in zip(steps, losses, strict=True) if math.isfinite(v)]
    if len(known) <= POINTS:
        return known
    return [known[round(i * (len(known) - 1) / (POINTS - 1))] for i in range(POINTS)]


def drawn(place: Place) -> tuple[list[str], list[str]]:
    """`drawn` returns the loss curves at a place as paths of an SVG, in whole pixels, and what its edges
    stand for: least and greatest loss, first and last step. Both axes are logarithmic."""
    points = [(math.log1p(s), math.log10(v)) for one in place.networks for s, v in one.curve if v > 0]
    if not points:
        return [], []
    (left, right), (low, high) = ((min(values), max(values)) for values in zip(*points, strict=True))
    across, up = (WIDTH - 2) / ((right - left) or 1), (HEIGHT - 2) / ((high - low) or 1)
    paths = []
    for network in place.networks:
        line = [
            (round(1 + (math.log1p(s) - left) * across), round(1 + (high - math.log10(v)) * up))
            for s, v in network.curve
            if v > 0
        ]
        moves = [f"{b[0] - a[0]} {b[1] - a[1]}" for a, b in pairwise(line) if a != b]
        if line:
            paths.append(f"M{line[0][0]} {line[0][1]}" + (f"l{' '.join(moves)}" if moves else "h1"))
    edges = [number(10**low), number(10**high), str(round(math.expm1(left))), str(round(math.expm1(right)))]
    return paths, edges


def _rounded(value: float) -> float | None:
    """`_rounded` returns three digits; JSON knows no NaN."""
    return float(f"{value:.2e}") if is_known(value) else None
