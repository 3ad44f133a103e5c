"""CIFAR-10's binary files: records of one label byte and 3072 pixel bytes, red, green and blue planes."""

from pathlib import Path

import numpy as np

from minima.data.pool import DataError

SHAPE = (3, 32, 32)
RECORD = 1 + 3 * 32 * 32
CLASSES = 10


def read_cifar(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images [records, 3072] as bytes and labels [records]."""
    content = np.fromfile(path, dtype=np.uint8)
    if not len(content) or len(content) % RECORD:
        raise DataError(f"{path} is no whole number of CIFAR-10 records of {RECORD} bytes. Replace it.")
    records = content.reshape(-1, RECORD)
    if (wrong := int(records[:, 0].max())) >= CLASSES:
        raise DataError(f"{path} has the label {wrong}, and CIFAR-10 has {CLASSES} classes. Replace it.")
    return records[:, 1:], records[:, 0].astype(np.int64)
