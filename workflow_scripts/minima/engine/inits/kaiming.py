"""Weights normal with variance 2/fan-in and biases 0, the last layer as PyTorch draws it."""

import numpy as np

from minima.engine.inits.module_scheme import ModuleScheme, uniform
from minima.engine.models.module import Entry


def draw(entry: Entry, generator: np.random.Generator) -> np.ndarray:
    if entry.last:
        return uniform(entry, generator)
    if entry.bias:
        return np.zeros(entry.matrix)
    return (2 / entry.fan_in) ** 0.5 * generator.standard_normal(entry.matrix)


SCHEME = ModuleScheme(draw)
