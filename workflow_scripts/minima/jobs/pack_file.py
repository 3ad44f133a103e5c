"""What a training job hands over: its cells as one file, a node per group.

/<i>    the cells of the pack's i-th group, which share their dimensions; variables as in a shard
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import xarray as xr

from minima.netcdf import tree_encoding, write_atomically


def write(groups: Sequence[xr.Dataset], path: Path) -> None:
    tree = xr.DataTree.from_dict({f"/{i}": group for i, group in enumerate(groups)})
    write_atomically(tree, path, encoding=tree_encoding(tree))


def read(path: Path) -> list[xr.Dataset]:
    """`read` returns the groups' cells, in the order in which they were written."""
    with opened(path) as groups:
        return [group.load() for group in groups]


@contextmanager
def opened(path: Path) -> Iterator[list[xr.Dataset]]:
    """`opened` gives the same from the open file: a variable is read each time its values are asked for, and
    not kept, for networks of 11 million weights are not wanted by all."""
    with xr.open_datatree(path, engine="netcdf4", cache=False) as tree:
        yield [tree[f"/{i}"].to_dataset() for i in range(len(tree.children))]
