"""Which points are in the right class."""

from torch import Tensor


def accuracy_of(f: Tensor, y: Tensor) -> Tensor:
    """`accuracy_of` returns the fraction of points in the right class [E]."""
    return right(f, y).double().mean(1)


def right(f: Tensor, y: Tensor) -> Tensor:
    """`right` returns whether a point is in the right class [E, n]: by sign for one output, else by the
    largest."""
    return ((f > 0) == (y > 0)).squeeze(2) if f.shape[2] == 1 else f.argmax(2) == y.argmax(2)
