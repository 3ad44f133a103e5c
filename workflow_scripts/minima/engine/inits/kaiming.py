"""Weights normal with variance 2/fan-in and biases 0, the last layer as PyTorch draws it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy import ndarray
    from numpy.random import Generator

    from minima.engine.networks.module import Entry


def draw(entry: "Entry", generator: "Generator") -> "ndarray":
    from numpy import zeros

    if entry.last:
        return entry.uniform(generator)
    if entry.bias:
        return zeros(entry.matrix)
    return (2 / entry.fan_in) ** 0.5 * generator.standard_normal(entry.matrix)
