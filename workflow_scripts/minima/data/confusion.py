"""Confusion sets (arXiv:1906.02613): damaged copies of the training rows under random labels, which a network
can fit only by heart; as a control the same copies under their true labels."""

from collections.abc import Iterator

import numpy as np

from minima.plan.recipes import Confusion
from minima.streams import stream


def confused(
    x: np.ndarray, y: np.ndarray, classes: list[int], options: Confusion, split: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """`confused` yields copy after copy of the rows x [rows, features] with a label for every row: uniform
    over the classes, or the row's own of y.

    In every row a fraction of its features is set to 0. Each copy has streams of its own: a smaller set
    is the beginning of a larger one.
    """
    rows, features = x.shape
    zeros = round(options.zeroed * features)
    for number in range(options.copies):
        copy = x.copy()
        chance = stream(split, f"confusion/{number}").random((rows, features))
        np.put_along_axis(copy, np.argsort(chance, axis=1)[:, :zeros], 0.0, axis=1)
        drawn = stream(split, f"confusion_labels/{number}").integers(len(classes), size=rows)
        yield copy, np.array(classes)[drawn] if options.labels == "random" else y
