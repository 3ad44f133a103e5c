"""IDX files, the format of MNIST and its kin: a header with the shape, then the numbers."""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from minima.data.pool import DataError

DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: Path) -> np.ndarray:
    """The array of an IDX file, plain or gzipped, in native byte order."""
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
