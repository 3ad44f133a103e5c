"""Weights and biases as PyTorch draws them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.inits import ModuleInit

if TYPE_CHECKING:
    from numpy import ndarray
    from numpy.random import Generator

    from minima.engine.networks.module import Entry


class TorchDefault(ModuleInit):
    """Weights and biases uniform within ±1/√fan-in."""


def draw(entry: Entry, generator: Generator) -> ndarray:
    return entry.uniform(generator)
