"""Mini-batches: each network draws its own from a stream of its seed, so none depends on its neighbours."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from minima.engine.device import sent
from minima.streams import stream


class Batches:
    """`Batches` draws the rows of the training points of every step, for a stack of networks.

    Without replacement an epoch is a permutation cut into batches, the last one smaller where the size does
    not divide the number of points; with replacement every row is drawn anew.
    """

    def __init__(self, seeds: Sequence[int], points: int, size: int, replacement: bool) -> None:
        self.generators = [stream(seed, "batches") for seed in seeds]
        self.points, self.size, self.replacement = points, size, replacement
        self.per_epoch = -(-points // size)
        self.epoch = torch.empty((len(seeds), 0), dtype=torch.int64)

    def next(self, step: int, device: torch.device) -> Tensor:
        """`next` returns the rows [E, batch] of a step; steps must be asked for in the order 0, 1, 2 …"""
        place = step % self.per_epoch
        if place == 0:
            epoch = np.stack([self._epoch(generator) for generator in self.generators])
            self.epoch = sent(epoch, device)
        return self.epoch[:, place * self.size : (place + 1) * self.size]

    def keep(self, rows: Sequence[int]) -> None:
        """`keep` drops every network but those of these rows."""
        self.generators = [self.generators[row] for row in rows]
        self.epoch = self.epoch[list(rows)]

    def _epoch(self, generator: np.random.Generator) -> np.ndarray:
        if self.replacement:
            return generator.integers(self.points, size=self.per_epoch * self.size)
        return generator.permutation(self.points)


def rows_of(values: Tensor, rows: Tensor) -> Tensor:
    """`rows_of` returns values [E, n, …] at rows [E, b]: [E, b, …]."""
    return values[torch.arange(len(rows), device=rows.device).unsqueeze(1), rows]
