"""Writing netCDF files so that a reader sees the whole file or none."""

import errno
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import netCDF4

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


@contextmanager
def replacing(path: str | Path, nbytes: int) -> Iterator[Path]:
    """`replacing` gives a temporary path beside `path`, where the body writes a file of about `nbytes`; it is
    renamed to `path` at the end. A failure leaves the old file, if any, and no temporary one."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not `tempfile`: its files are private to the user, and results are often shared by a group.
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    except (OSError, RuntimeError) as error:  # netCDF says no more than "HDF error"
        if shutil.disk_usage(path.parent).free < nbytes:
            raise OSError(errno.ENOSPC, "no space is left on the disk to write", str(path)) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def string_encoding(dataset: "xr.Dataset") -> dict[str, dict[str, str]]:
    """Fixed-width characters for strings: deterministic bytes, where variable-length ones are not."""
    return {str(name): {"dtype": "S1"} for name, v in dataset.variables.items() if v.dtype.kind in "UO"}


def tree_encoding(tree: "xr.DataTree") -> dict[str, dict[str, dict[str, str]]]:
    """The same for every node."""
    return {node.path: string_encoding(node.to_dataset(inherit=False)) for node in tree.subtree}
