"""What a training job hands over: its cells as one file, a node per group.

/<i>    the cells of the pack's i-th group, which share their dimensions; variables as in a shard
"""

from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from minima.netcdf import tree_encoding, write_atomically


def write(groups: Sequence[xr.Dataset], path: Path) -> None:
    tree = xr.DataTree.from_dict({f"/{i}": group for i, group in enumerate(groups)})
    write_atomically(tree, path, encoding=tree_encoding(tree))


def read(path: Path) -> list[xr.Dataset]:
    """The groups' cells, in the order in which they were written."""
    with xr.open_datatree(path, engine="netcdf4") as tree:
        return [tree[f"/{i}"].to_dataset().load() for i in range(len(tree.children))]
