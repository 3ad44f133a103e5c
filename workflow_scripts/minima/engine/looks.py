"""Looks at the loss of all points between epochs of mini-batches."""

from typing import Any

import torch
from torch import Tensor

from minima.engine.accuracy import right
from minima.engine.batches import rows_of
from minima.engine.passes import Evaluated, Loss
from minima.engine.record import Record
from minima.engine.stack import Stack

FIRST_LOOK = 32  # points


class Looks:
    """`Looks` passes all points, or only as many as prove that every network goes on training.

    Losses are sums of terms ≥ 0, so a loss that is already above its goal stays above it whatever the other
    points add, and so does the number of wrongly classified points. The points with the largest losses when
    each was last seen come first: where most of the loss is that of a few points, a look costs these few.
    """

    def __init__(self, ensemble: Any, loss: Loss, record: Record, y: Tensor) -> None:
        self.ensemble, self.loss, self.record = ensemble, loss, record
        self.losses = torch.zeros_like(y[..., 0])  # [E, n], as last seen

    def __call__(self, stack: Stack, step: int) -> Evaluated | None:
        """A call returns the pass over all points, or None as soon as it is proven that training goes on."""
        points = stack.y.shape[1]
        if points <= 2 * FIRST_LOOK:  # all of them cost no more than the calls around a part
            return self.whole(stack)
        order = self.losses.argsort(dim=1, descending=True, stable=True)
        judged = self.record.accuracy_target is not None
        parts: list[Tensor] = []
        seen, size, total, wrong = 0, FIRST_LOOK, 0, 0
        while seen < points:
            rows = order[:, seen : seen + size]
            y = rows_of(stack.y, rows)
            part, _ = self.ensemble.forward(stack.weights, rows_of(stack.x, rows))
            losses = self._of_points(part, y)
            self.losses.scatter_(1, rows, losses)
            parts.append(part)
            total = total + losses.sum(1)
            if judged:
                wrong = wrong + (~right(part, y)).sum(1)
            seen += rows.shape[1]
            if seen < points and self.record.goes_on(total, wrong, seen, points):
                self.record.say(step, self.losses.mean(1))
                return None
            size *= 2
        f = torch.empty_like(stack.y).scatter_(1, order.unsqueeze(2).expand_as(stack.y), torch.cat(parts, 1))
        return Evaluated(f, self.loss(f, stack.y)[0])

    def whole(self, stack: Stack) -> Evaluated:
        """`whole` returns the pass over all points, which no step follows."""
        f, _ = self.ensemble.forward(stack.weights, stack.x)
        return Evaluated(f, self.loss(f, stack.y)[0])

    def keep(self, rows: Tensor) -> None:
        """`keep` drops every network but those of these rows."""
        self.losses = self.losses[rows]

    def _of_points(self, f: Tensor, y: Tensor) -> Tensor:
        """`_of_points` returns the loss of every point: [E, b]."""
        each, _ = self.loss(f.flatten(0, 1).unsqueeze(1), y.flatten(0, 1).unsqueeze(1))
        return each.view(f.shape[:2])
