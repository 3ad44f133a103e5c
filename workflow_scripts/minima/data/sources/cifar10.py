"""CIFAR-10's binary files: records of one label byte and 3072 pixel bytes, red, green and blue planes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from minima.data.fetch import fetch
from minima.data.pool import DataError, Pool
from minima.plan.recipes import LABELS, Facts, Labels, Recipe

if TYPE_CHECKING:
    from numpy import ndarray

SHAPE = (3, 32, 32)
RECORD = 1 + 3 * 32 * 32
CLASSES = 10


class Cifar10(Recipe):
    """CIFAR-10's binary files, in data_dir."""

    facts = Facts(
        "CIFAR-10, colour images of 32×32 pixels",
        "Krizhevsky (2009)",
        "as published by its author",
        shape=SHAPE,
        largest=255,
    )

    labels: Labels = Field("onehot", description=LABELS)
    train_files: list[str] = Field(
        [f"cifar10/data_batch_{number}.bin" for number in range(1, 6)],
        min_length=1,
        description="Files of the training records, relative to data_dir, plain or .xz.",
    )
    test_files: list[str] = Field(
        ["cifar10/test_batch.bin"],
        description="Files of the test records; none: training and test rows share one pool.",
    )

    def own_files(self, data_dir: Path) -> list[Path]:
        return [data_dir / name for name in (*self.train_files, *self.test_files)]


def load(recipe: Cifar10, data_dir: Path) -> Pool:
    """`load` returns the pools of the files that the recipe names."""
    import numpy as np

    sha256: dict[str, str] = {}

    def joined(names: list[str]) -> tuple[ndarray, ndarray]:
        for name in names:
            sha256[name] = fetch(data_dir / name, recipe.source)
        x, y = zip(*(read_records(data_dir / name) for name in names), strict=True)
        return np.concatenate(x), np.concatenate(y)

    test = joined(recipe.test_files) if recipe.test_files else (None, None)
    return Pool(*joined(recipe.train_files), *test, sha256)


def read_records(path: Path) -> tuple[ndarray, ndarray]:
    """`read_records` returns images [records, 3, 32, 32] as bytes and labels [records]."""
    import lzma

    import numpy as np

    opened = lzma.open if path.suffix == ".xz" else open
    try:
        with opened(path, "rb") as file:
            content = np.frombuffer(file.read(), dtype=np.uint8)
    except (lzma.LZMAError, EOFError) as error:
        raise DataError(f"{path} cannot be unpacked ({error}). Replace it.") from None
    if not len(content) or len(content) % RECORD:
        raise DataError(f"{path} is no whole number of CIFAR-10 records of {RECORD} bytes. Replace it.")
    records = content.reshape(-1, RECORD)
    if (wrong := int(records[:, 0].max())) >= CLASSES:
        raise DataError(f"{path} has the label {wrong}, and CIFAR-10 has {CLASSES} classes. Replace it.")
    return records[:, 1:].reshape(-1, *SHAPE), records[:, 0].astype(np.int64)
