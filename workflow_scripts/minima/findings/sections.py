"""A study's part of the report: what the page says of it that only its dataset knows.

Read once, when the dataset is there, and kept beside it; the page is then made of the parts of all studies.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

from minima.findings.figures import nearest_minimizer
from minima.findings.files import write_json
from minima.findings.words import is_known

if TYPE_CHECKING:
    from minima.plan.workplan import Plan


@dataclass(frozen=True)
class Place:
    """A place of a block's grid: the verdict of most of `n` converged seeds, the candidate that it is about,
    which is the nearest where it names none, and how far that one stands."""

    words: str
    nearest: str
    votes: int
    n: int
    candidate: str
    distance: float | None


@dataclass(frozen=True)
class NearestMap:
    """Which minimizers a block's networks converged to: how many to each, and the answer at each place."""

    block: str
    counts: list[tuple[str, int]]
    places: list[Place]

    @property
    def networks(self) -> int:
        return sum(count for _, count in self.counts)

    @property
    def converged(self) -> bool:
        """Whether any network did."""
        return any(is_known(place.distance) for place in self.places)


@dataclass(frozen=True)
class Section:
    """What became of the networks of a study, per block, and where they went; `origin` tells of which config
    this is."""

    origin: str
    statuses: Mapping[str, Mapping[str, int]]
    nearest: list[NearestMap]


def write_section(plan: "Plan", study: str, dataset: Path, output: Path) -> None:
    """`write_section` writes a study's part of the report."""
    with xr.open_datatree(dataset, engine="netcdf4") as tree:
        statuses = {
            name: dict(Counter(node.ds.status.values.ravel().tolist()))
            for name, node in tree["trained"].children.items()
        }
        mapped = tree["nearest"].children if "nearest" in tree.children else ()
        section = Section(plan.origin_stamp(study), statuses, [_nearest(tree, block) for block in mapped])
    write_json(asdict(section), output)


def read_section(path: Path) -> Section:
    """`read_section` returns a study's part of the report as it was written."""
    content = json.loads(path.read_text(encoding="utf-8"))
    nearest = [
        NearestMap(found["block"], [*map(tuple, found["counts"])], [Place(**one) for one in found["places"]])
        for found in content["nearest"]
    ]
    return Section(content["origin"], content["statuses"], nearest)


def _nearest(tree: xr.DataTree, block: str) -> NearestMap:
    counts = Counter(tree[f"nearest/{block}"].ds.nearest.values.ravel().tolist())
    places = []
    for place in nearest_minimizer.tabulate(tree, block).itertuples():
        axes = [(place.x_axis, place.x_label), (place.y_axis, place.y_label)]
        words = [place.panel, *(f"{axis} {label}" for axis, label in axes if axis)]
        distance = place.estimate if is_known(place.estimate) else None  # JSON knows no NaN
        found = (place.nearest, place.votes, place.n, place.candidate, distance)
        places.append(Place(", ".join(filter(None, words)), *found))
    return NearestMap(block, counts.most_common(), places)
