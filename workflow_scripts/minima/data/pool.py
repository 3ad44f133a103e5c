"""The rows that a source offers, before any are chosen."""

from dataclasses import dataclass, field

import numpy as np


class DataError(ValueError):
    """Data that is missing, damaged or does not fit its recipe. The message names the file and the mend."""


@dataclass(frozen=True)
class Pool:
    """Rows of a source. Whole-number `y` holds class labels, real `y` holds targets.

    x: [rows, features], any real dtype (chosen rows become float64: a pool of bytes stays small);
    y: [rows] labels or [rows, outputs] targets; test_x, test_y likewise, or None where training and
    test rows are drawn from the same pool.
    """

    x: np.ndarray
    y: np.ndarray
    test_x: np.ndarray | None = None
    test_y: np.ndarray | None = None
    shape: tuple[int, ...] = ()  # of one row before it was flattened
    sha256: dict[str, str] = field(default_factory=dict)  # of the files behind it

    @property
    def has_classes(self) -> bool:
        return np.issubdtype(self.y.dtype, np.integer)
