"""Confusion sets (arXiv:1906.02613): damaged copies of the training rows under random labels, which a network
can fit only by heart."""

import numpy as np

from minima.plan.recipes import Confusion
from minima.streams import stream


def confuse(
    x: np.ndarray, classes: list[int], options: Confusion, split: int
) -> tuple[np.ndarray, np.ndarray]:
    """Copies of the rows x [rows, features], copy after copy, and a uniform label of each.

    In every row a fraction of its features is set to 0. Each copy has streams of its own: a smaller set
    is the beginning of a larger one.
    """
    rows, features = x.shape
    zeros = round(options.zeroed * features)
    copies, labels = [], []
    for number in range(options.copies):
        copy = x.copy()
        chance = stream(split, f"confusion/{number}").random((rows, features))
        np.put_along_axis(copy, np.argsort(chance, axis=1)[:, :zeros], 0.0, axis=1)
        copies.append(copy)
        drawn = stream(split, f"confusion_labels/{number}").integers(len(classes), size=rows)
        labels.append(np.array(classes)[drawn])
    return np.concatenate(copies), np.concatenate(labels)
