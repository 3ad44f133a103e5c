"""Weights and biases as PyTorch draws them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from minima.plan.inits import ModuleInit

if TYPE_CHECKING:
    from numpy import ndarray
    from numpy.random import Generator

    from minima.engine.networks.module import Entry


class TorchDefault(ModuleInit):
    """Weights and biases uniform within ±1/√fan-in."""

    scheme: Literal["torch_default"] = Field(description="Uniform within ±1/√fan-in.")


def draw(entry: Entry, generator: Generator) -> ndarray:
    return entry.uniform(generator)
