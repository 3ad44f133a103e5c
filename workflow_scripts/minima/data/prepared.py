"""Prepared splits: what a file of them holds, and arrays that are made a block of rows at a time, for ten
damaged copies of CIFAR-10 are 6.1 GB."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

ROWS = 1000  # of a block
ARRAYS = ("x_train", "y_train", "x_test", "y_test")
LONG_NAMES = {
    "x_train": "inputs of the training rows",
    "y_train": "targets of the training rows",
    "x_test": "inputs of the test rows",
    "y_test": "targets of the test rows",
    "label_train": "class of the training rows, after label noise and confusion",
    "label_test": "class of the test rows",
    "split": "number of the split",
    "digest": "sha256 of names, shapes and bytes of x_train, y_train, x_test and y_test",
}


@dataclass(frozen=True)
class Blocks:
    """An array of this shape and dtype, whose blocks of rows are made, in order, each time they are read."""

    shape: tuple[int, ...]
    dtype: np.dtype
    make: Callable[[], Iterator[np.ndarray]]

    def __iter__(self) -> Iterator[np.ndarray]:
        return self.make()


def whole(array: np.ndarray) -> Blocks:
    """`whole` returns an array that stands in memory as one block."""
    return Blocks(array.shape, array.dtype, lambda: iter([array]))


def slices(rows: int) -> list[slice]:
    """`slices` returns the places of the blocks of so many rows."""
    return [slice(start, min(start + ROWS, rows)) for start in range(0, rows, ROWS)]


@dataclass(frozen=True)
class Layout:
    """One variable of a prepared file: its dimensions, and of each split its shape and dtype."""

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class Prepared:
    """The splits of a recipe, each made when it is written, a block of rows at a time: no more than one is
    ever held."""

    numbers: tuple[int, ...]
    variables: Mapping[str, Layout]
    attributes: Mapping[str, Any]
    draw: Callable[[int], Mapping[str, Blocks]]

    def into(self, targets: Mapping[str, Any]) -> list[str]:
        """`into` writes every variable [split, rows, …] into the array of its name, in memory or in a file,
        and returns the digest of each split's arrays."""
        digests = []
        for position, number in enumerate(self.numbers):
            split, digest = self.draw(number), hashlib.sha256()
            for name in self.variables:
                _digest_name(digest, name, split[name].shape)
                start = 0
                for rows in split[name]:
                    targets[name][position, start : start + len(rows)] = rows
                    _digest_rows(digest, name, rows)
                    start += len(rows)
            digests.append(digest.hexdigest())
        return digests


def array_digest(arrays: Mapping[str, np.ndarray]) -> str:
    """`array_digest` returns sha256 of the names, shapes and float64 bytes of `ARRAYS`: part of the key of
    every trained cell."""
    digest = hashlib.sha256()
    for name in ARRAYS:
        _digest_name(digest, name, arrays[name].shape)
        _digest_rows(digest, name, arrays[name])
    return digest.hexdigest()


def _digest_name(digest: Any, name: str, shape: tuple[int, ...]) -> None:
    if name in ARRAYS:
        digest.update(f"{name}{list(shape)}".encode())


def _digest_rows(digest: Any, name: str, rows: np.ndarray) -> None:
    for place in slices(len(rows)) if name in ARRAYS else ():
        digest.update(np.ascontiguousarray(rows[place], dtype="<f8"))
