"""Writing netCDF files so that a reader sees the whole file or none."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import netCDF4

from minima.atomic import replacing

if TYPE_CHECKING:
    import xarray as xr


def write_atomically(
    content: "xr.Dataset | xr.DataTree", path: str | Path, encoding: Mapping[str, Any] | None = None
) -> None:
    """`write_atomically` writes `content` to `path`. The same content gives the same bytes.

    `encoding` maps variables (Dataset), or groups to variables (DataTree), to their encoding.
    """
    import xarray as xr  # half of a start, and no part of what writes data

    encoding = dict(encoding or {})
    if isinstance(content, xr.Dataset):
        nodes, encoding = {"/": content}, {"/": encoding}
    else:
        nodes = {node.path: node.to_dataset(inherit=False) for node in content.subtree}
    values = _Values()
    with replacing(path, content.nbytes) as temporary, netCDF4.Dataset(temporary, "w") as file:
        for name, node in nodes.items():
            group = xr.backends.NetCDF4DataStore(file.createGroup(name))
            node.dump_to_store(group, writer=values, encoding=encoding.get(name))
        for target, source in values.pairs:
            target[...] = source


class _Values:
    """`_Values` is a writer of xarray's that keeps values until all variables are defined: netCDF writes its
    definitions again for every one that comes after values, most of the time that small files take."""

    def __init__(self) -> None:
        self.pairs: list[tuple[Any, Any]] = []

    def add(self, source: Any, target: Any) -> None:
        """`add` takes a variable of the file and what is to be written there."""
        self.pairs.append((target, source))


def string_encoding(dataset: "xr.Dataset") -> dict[str, dict[str, str]]:
    """Fixed-width characters for strings: deterministic bytes, where variable-length ones are not."""
    return {str(name): {"dtype": "S1"} for name, v in dataset.variables.items() if v.dtype.kind in "UO"}


def tree_encoding(tree: "xr.DataTree") -> dict[str, dict[str, dict[str, str]]]:
    """The same for every node."""
    return {node.path: string_encoding(node.to_dataset(inherit=False)) for node in tree.subtree}
