"""IDX files, the format of MNIST and its kin: a header with the shape, then the numbers. Four of them are a
pool."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from minima.data.fetch import fetch
from minima.data.pool import DataError, Pool

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np

DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
Role = Literal["train_images", "train_labels", "test_images", "test_labels"]
ROLES: tuple[Role, ...] = get_args(Role)


class KnownFile(NamedTuple):
    """A file: its name in `data_dir`, and, where it is published, its checksum and where to get it."""

    name: str
    sha256: str | None = None
    address: str | None = None


def published(folder: str, address: str, *sha256: str) -> dict[str, KnownFile]:
    """`published` returns the four files of MNIST and its kin, by role."""
    names = (
        f"{part}-{what}-ubyte.gz" for part in ("train", "t10k") for what in ("images-idx3", "labels-idx1")
    )
    return {
        role: KnownFile(f"{folder}/{name}", checksum, f"{address}/{name}")
        for role, name, checksum in zip(ROLES, names, sha256, strict=True)
    }


def load_idx(files: Mapping[str, KnownFile], source: str, data_dir: Path) -> Pool:
    """`load_idx` returns the rows of the four files by role, which must go together."""
    arrays, sha256 = {}, {}
    for role, file in files.items():
        path = data_dir / file.name
        sha256[file.name] = fetch(path, source, file.sha256, file.address)
        arrays[role] = read_idx(path)
    shape = arrays["train_images"].shape[1:]
    for part in ("train", "test"):
        images, labels = arrays[f"{part}_images"], arrays[f"{part}_labels"]
        where = f"{files[f'{part}_images'].name} and {files[f'{part}_labels'].name}"
        if labels.ndim != 1 or labels.dtype.kind not in "ui" or images.ndim < 2 or len(images) != len(labels):
            raise DataError(f"{source}: {where} do not go together: {images.shape} and {labels.shape}.")
        if images.shape[1:] != shape:
            raise DataError(f"{source}: training and test images differ in shape.")
        arrays[f"{part}_labels"] = labels.astype("int64")
    return Pool(*(arrays[role] for role in ROLES), sha256)


def read_idx(path: Path) -> np.ndarray:
    """`read_idx` returns the array of an IDX file, plain or gzipped, in native byte order."""
    import numpy as np

    content = path.read_bytes()
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{path} is truncated or damaged ({error}). Replace it.") from error
    dimensions = content[3] if len(content) > 3 else 0
    start = 4 + 4 * dimensions
    if len(content) < max(start, 8) or content[:2] != b"\0\0" or content[2] not in DTYPES:
        raise DataError(f"{path} is not an IDX file: its header is wrong. Replace it.")
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    dtype = np.dtype(DTYPES[content[2]])
    promised, held = math.prod(shape) * dtype.itemsize, len(content) - start
    if promised != held:
        raise DataError(f"{path} holds {held} bytes where its header promises {promised}. Replace it.")
    return np.frombuffer(content, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))
