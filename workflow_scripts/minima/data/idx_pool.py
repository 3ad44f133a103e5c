"""From four IDX files to a pool, whoever names them."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minima.data.fetch import fetch
from minima.data.idx import read_idx
from minima.data.pool import DataError, Pool

NAMES = {
    "train_images": "train-images-idx3-ubyte.gz",
    "train_labels": "train-labels-idx1-ubyte.gz",
    "test_images": "t10k-images-idx3-ubyte.gz",
    "test_labels": "t10k-labels-idx1-ubyte.gz",
}


class KnownFile(NamedTuple):
    """A file: its name in `data_dir`, and, where it is published, its checksum and where to get it."""

    name: str
    sha256: str | None = None
    address: str | None = None


def published(folder: str, address: str, sha256: Mapping[str, str]) -> dict[str, KnownFile]:
    """`published` returns the four files of MNIST and its kin, by role."""
    return {
        role: KnownFile(f"{folder}/{name}", sha256[role], f"{address}/{name}") for role, name in NAMES.items()
    }


def load_idx(files: Mapping[str, KnownFile], source: str, data_dir: Path) -> Pool:
    """`load_idx` returns the rows of the four files, which must go together."""
    arrays, sha256 = {}, {}
    for role, file in files.items():
        path = Path(data_dir) / file.name
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
    return Pool(
        x=arrays["train_images"].reshape(len(arrays["train_images"]), -1),
        y=arrays["train_labels"].astype(np.int64),
        test_x=arrays["test_images"].reshape(len(arrays["test_images"]), -1),
        test_y=arrays["test_labels"].astype(np.int64),
        shape=(1, *shape) if len(shape) == 2 else shape,
        sha256=sha256,
    )
