"""Confusion sets (arXiv:1906.02613): damaged copies of the training rows under random labels, which a network
can fit only by heart; as a control the same copies under their true labels."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from minima.data.prepared import slices
from minima.streams import stream

if TYPE_CHECKING:
    from minima.plan.recipes import Confusion


def damaged(x: np.ndarray, options: "Confusion", split: int) -> Iterator[np.ndarray]:
    """`damaged` yields the copies of the rows x [rows, features] in float64, copy after copy, a block of rows
    at a time. In every row a fraction of its features is set to 0.

    Each copy has a stream of its own: a smaller set is the beginning of a larger one.
    """
    rows, features = x.shape
    zeros = round(options.zeroed * features)
    for number in range(options.copies):
        chance = stream(split, f"confusion/{number}")
        for place in slices(rows):
            copy = x[place].astype(np.float64)
            if zeros:
                order = np.argpartition(chance.random(copy.shape), zeros - 1, axis=1)
                np.put_along_axis(copy, order[:, :zeros], 0.0, axis=1)
            yield copy


def labels_of_copies(labels: np.ndarray, classes: list[int], options: "Confusion", split: int) -> np.ndarray:
    """`labels_of_copies` returns the class of every row of every copy [copies × rows]: uniform over the
    classes, or the row's own of `labels`."""
    if options.labels == "unchanged":
        return np.tile(labels, options.copies)
    draws = (stream(split, f"confusion_labels/{number}") for number in range(options.copies))
    return np.array(classes)[
        np.concatenate([draw.integers(len(classes), size=len(labels)) for draw in draws])
    ]
