"""Random shifts and flips of images, drawn anew for every step; each network has a stream of its own."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from minima.engine.device import sent
from minima.streams import stream


class Augment:
    """`Augment` shifts images by up to `shift` pixels each way, padding with zeros, and with `flip` mirrors
    an image with probability ½."""

    def __init__(self, seeds: Sequence[int], shape: tuple[int, ...], shift: int, flip: bool) -> None:
        self.generators = [stream(seed, "augment") for seed in seeds]
        self.shape, self.shift, self.flip = shape, shift, flip

    def __call__(self, x: Tensor) -> Tensor:
        """A call returns the mini-batches x [E, b, d] with every image shifted and mirrored at random."""
        count, size = x.shape[:2]
        draws = [self._draw(generator, size) for generator in self.generators]
        down, right, mirrored = (sent(np.concatenate(each), x.device) for each in zip(*draws, strict=True))
        _, height, width = self.shape
        padded = pad(x.reshape(count * size, *self.shape), [self.shift] * 4)
        windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # a view: all shifts of every image
        moved = windows[torch.arange(count * size, device=x.device), :, down, right]
        if self.flip:
            moved = torch.where(mirrored.view(-1, 1, 1, 1), moved.flip(-1), moved)
        return moved.reshape(x.shape)

    def keep(self, rows: Sequence[int]) -> None:
        """`keep` drops every network but those of these rows."""
        self.generators = [self.generators[row] for row in rows]

    def _draw(self, generator: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """`_draw` returns offsets 0 … 2·shift in the padded images, and which images are mirrored."""
        down, right = generator.integers(2 * self.shift + 1, size=(2, size))
        return down, right, (generator.random(size) < 0.5) & self.flip
