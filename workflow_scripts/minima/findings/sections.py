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

from minima.findings.files import write_json
from minima.findings.maps import NearestMap, map_of, read_map

if TYPE_CHECKING:
    from minima.plan.workplan import Plan


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
        grids = plan.blocks_of(study)
        nearest = [map_of(tree, block, grids[block]) for block in mapped]
    section = Section(plan.stamps.origin(study), statuses, nearest)
    write_json(asdict(section), output)


def read_section(path: Path) -> Section:
    """`read_section` returns a study's part of the report as it was written."""
    content = json.loads(path.read_text(encoding="utf-8"))
    nearest = [read_map(found) for found in content["nearest"]]
    return Section(content["origin"], content["statuses"], nearest)
