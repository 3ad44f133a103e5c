"""The rows that a source offers, before any are chosen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy as np

    from minima.plan.recipes import Recipe


class DataError(ValueError):
    """Data that is missing, damaged or does not fit its recipe. The message names the file and the mend."""


@dataclass(frozen=True)
class Pool:
    """Rows of a source.

    x: [rows, …], any real dtype (chosen rows become float64: a pool of bytes stays small); a row is a number,
    features [features], an image [height, width] or one of several channels [channels, height, width];
    y: [rows], whole numbers are class labels, or [rows, …] real targets; test_x, test_y likewise, or None
    where training and test rows are drawn from the same pool.
    """

    x: np.ndarray
    y: np.ndarray
    test_x: np.ndarray | None = None
    test_y: np.ndarray | None = None
    sha256: dict[str, str] = field(default_factory=dict)  # of the files behind it
    words: tuple[str, ...] = ()  # by label, of classes that are words
    classes: tuple[int, ...] = ()  # the labels of all, where the rows need not have each
    facts: dict[str, str] = field(default_factory=dict)  # what the source says of itself once it is read

    @property
    def row_shape(self) -> tuple[int, ...]:
        """`row_shape` is (features,), or of images (channels, height, width)."""
        shape = self.x.shape[1:]
        return (1, *shape) if len(shape) in (0, 2) else shape

    @property
    def has_classes(self) -> bool:
        return self.y.dtype.kind in "iu"

    def called(self, labels: Iterable[int]) -> list[int | str]:
        """`called` returns what classes are called: the words of the source where they are words."""
        return [self.words[label] if self.words else label for label in labels]


def drawn(
    recipe: Recipe, split: int, rows: Callable[[int, np.random.Generator], tuple[np.ndarray, np.ndarray]]
) -> Pool:
    """`drawn` returns exactly the rows that the recipe asks for; `rows` draws x and y of so many. Training
    and test rows have streams of their own: more of the former leave the latter as they are."""
    from minima.streams import stream

    x, y = rows(recipe.train_size, stream(split, "split"))
    return Pool(x, y, *rows(recipe.test_size, stream(split, "split_test")))
