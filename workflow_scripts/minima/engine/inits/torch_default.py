"""Weights and biases as PyTorch draws them."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy import ndarray
    from numpy.random import Generator

    from minima.engine.networks.module import Entry


def draw(entry: "Entry", generator: "Generator") -> "ndarray":
    return entry.uniform(generator)
