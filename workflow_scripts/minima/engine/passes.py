"""Passes of a stack of networks over its points: predictions, losses and, for a step, the gradient.

`BoundPasses` is the fast way of fully connected and small convolutional nets on a CPU, `PlainPasses` that of
every model on every device. Both return an `Evaluated` and leave the gradient in the stack.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from minima.engine.batches import rows_of
from minima.engine.block import Memory
from minima.engine.ensemble import flat
from minima.engine.stack import Stack

Loss = Callable[..., tuple[Tensor, Tensor]]  # of minima.engine.losses


class Evaluated(NamedTuple):
    """`Evaluated` is the result of a pass: f [E, n, outputs] and the loss [E]. The next pass may take over
    the memory of f."""

    f: Tensor
    loss: Tensor


class PlainPasses:
    """`PlainPasses` passes by a model's `forward` and `gradients`."""

    def __init__(self, ensemble: Any, stack: Stack, loss: Loss, augment: Any = None) -> None:
        self.ensemble, self.stack, self.loss, self.augment = ensemble, stack, loss, augment
        self.tape: Any = None  # its memory is used again

    def full(self) -> Evaluated:
        """`full` passes all points, forward and back."""
        return self._both_ways(self.stack.x, self.stack.y)

    def batch(self, rows: Tensor) -> Evaluated:
        """`batch` passes the points of rows [E, b], forward and back."""
        x, y = rows_of(self.stack.x, rows), rows_of(self.stack.y, rows)
        return self._both_ways(x if self.augment is None else self.augment(x), y)

    def _both_ways(self, x: Tensor, y: Tensor) -> Evaluated:
        weights = self.stack.weights
        f, self.tape = self.ensemble.forward(weights, x, self.tape, training=True)
        loss, slope = self.loss(f, y)
        self.ensemble.gradients(weights, self.tape, slope, self.stack.gradients)
        return Evaluated(f, loss)


class BoundPasses:
    """`BoundPasses` passes by the blocks that a model binds to memory: full passes block by block, batches
    in one block each, whose memory is filled with the points of the batch."""

    def __init__(self, ensemble: Any, stack: Stack, loss: Loss, augment: Any = None) -> None:
        self.ensemble, self.stack, self.loss, self.augment = ensemble, stack, loss, augment
        copies = len(ensemble.readout)
        self.x = ensemble.model.prepared(stack.x.repeat_interleave(copies, dim=0) if copies > 1 else stack.x)
        self.y = stack.y
        networks, points = stack.y.shape[:2]
        device = stack.y.device
        self.first_of_x = points * torch.arange(copies * networks, device=device).unsqueeze(1)
        self.first_of_y = points * torch.arange(networks, device=device).unsqueeze(1)
        self.whole: _Bound | None = None
        self.batches: dict[int, _Bound] = {}

    def full(self) -> Evaluated:
        """`full` passes all points, forward and back."""
        if self.whole is None:
            self.whole = _Bound(self, self.x, self.y, fixed=True)
        return self.whole()

    def batch(self, rows: Tensor) -> Evaluated:
        """`batch` passes the points of rows [E, b], forward and back."""
        size, copies = rows.shape[1], len(self.ensemble.readout)
        if size not in self.batches:
            x, y = (whole.new_empty(len(whole), size, whole.shape[2]) for whole in (self.x, self.y))
            self.batches[size] = _Bound(self, x, y, fixed=False)
        bound = self.batches[size]
        own = rows.repeat_interleave(copies, dim=0) if copies > 1 else rows
        for whole, first, part, where in (
            (self.x, self.first_of_x, bound.x, own),
            (self.y, self.first_of_y, bound.y, rows),
        ):
            torch.index_select(whole.flatten(0, 1), 0, (where + first).flatten(), out=part.flatten(0, 1))
        if self.augment is not None:
            bound.x.copy_(self.augment(bound.x))
        return bound()


class _Bound:
    """`_Bound` is a pass over points x [E·K, n, d] with targets y, in memory that stays where it is."""

    def __init__(self, passes: BoundPasses, x: Tensor, y: Tensor, fixed: bool) -> None:
        stack, ensemble = passes.stack, passes.ensemble
        self.x, self.y, self.loss = x, y, passes.loss
        self.readout = None
        if ensemble.readout != (1.0,):
            self.readout = torch.tensor(ensemble.readout, dtype=y.dtype).view(1, -1, 1, 1)
        outputs, points = y.shape[2], y.shape[1]
        each = x.new_empty(len(x), outputs, points)  # f of every copy, a row per output
        delta = torch.empty_like(each)  # ∂L/∂f of every copy
        gradients = [None if part is None else part.flatten(0, 1) for part in stack.gradients]
        memory = Memory(flat(stack.weights), gradients, x, each, delta, fixed)
        blocks = ensemble.model.bound(memory)
        self.f = (each if self.readout is None else y.new_empty(len(y), outputs, points)).mT
        self.slope = (delta if self.readout is None else torch.empty_like(self.f.mT)).mT
        self.parts = []
        for block in blocks:
            own = [whole[:, block.points] for whole in (self.f, y, self.slope)]
            copies = [whole[..., block.points].unflatten(0, (len(y), -1)) for whole in (each, delta)]
            self.parts.append((block, *own, *copies, own[0].shape[1] / points))

    @np.errstate(over="ignore", invalid="ignore")  # as PyTorch: a diverged network is a result
    def __call__(self) -> Evaluated:
        total = None
        for block, f, y, slope, each, delta, share in self.parts:
            for call in block.forward:
                call()
            if self.readout is not None:
                torch.sum(each * self.readout, 1, out=f.mT)
            loss, _ = self.loss(f, y, slope)
            if share != 1:
                loss, _ = loss * share, slope.mul_(share)
            if self.readout is not None:
                torch.mul(slope.mT.unsqueeze(1), self.readout, out=delta)
            for call in block.backward:
                call()
            total = loss if total is None else total + loss
        return Evaluated(self.f, total)


def passes_of(ensemble: Any, stack: Stack, loss: Loss, augment: Any = None) -> PlainPasses | BoundPasses:
    """`passes_of` returns the fastest passes that there are for a model on a device."""
    binds = getattr(getattr(ensemble, "model", None), "bound", None) is not None
    if binds and stack.y.device.type == "cpu" and (augment is None or ensemble.readout == (1.0,)):
        return BoundPasses(ensemble, stack, loss, augment)
    return PlainPasses(ensemble, stack, loss, augment)
