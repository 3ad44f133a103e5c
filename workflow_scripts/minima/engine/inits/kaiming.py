"""Weights normal with variance 2/fan-in and biases 0, the last layer as PyTorch draws it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.inits import ModuleInit

if TYPE_CHECKING:
    from numpy import ndarray
    from numpy.random import Generator

    from minima.engine.networks.module import Entry


class Kaiming(ModuleInit):
    """Weights normal with variance 2/fan-in and zero biases, the last layer as in torch_default."""


def draw(entry: Entry, generator: Generator) -> ndarray:
    from numpy import zeros

    if entry.last:
        return entry.uniform(generator)
    if entry.bias:
        return zeros(entry.matrix)
    return (2 / entry.fan_in) ** 0.5 * generator.standard_normal(entry.matrix)
