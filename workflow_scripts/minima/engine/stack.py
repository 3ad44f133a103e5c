"""A stack of networks in training: what of them changes from step to step, in memory of its own.

All trained weights of a network lie in one row. A step of an optimizer is then one call per operation,
whatever the number of layers, and the layers are views of the row. Shapes: weights [E, K, out, in] per layer;
a row [E, K, 1, P].
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from minima.engine.ensemble import split
from minima.engine.record import picked


@dataclass
class Stack:
    """`Stack` holds the networks still in training; every tensor has them along its first dimension.

    The trained layers are views of one row per network, `theta`, and their gradients of `gradient`.
    """

    shapes: Mapping[int, tuple[int, int]]  # of the trained layers
    others: dict[int, Tensor]  # what no optimizer moves, such as a frozen layer
    x: Tensor
    y: Tensor
    test: list[Tensor]  # points and targets, where a probe looks at them
    theta: Tensor  # [E, K, 1, P]
    gradient: Tensor
    start: Tensor  # theta before the first step, where something asks for it; else without networks
    state: list[Tensor]
    numbers: dict[str, Tensor]

    def __post_init__(self) -> None:
        self.weights = self.split(self.theta)
        views = self._views(self.gradient)
        self.gradients = [views.get(layer) for layer in range(len(self.weights))]

    def split(self, row: Tensor) -> list[Tensor]:
        """`split` returns all layers [E, K, out, in], the trained ones from a row like `theta`."""
        found = self.others | self._views(row)
        return [found[layer] for layer in sorted(found)]

    def keep(self, rows: Tensor) -> "Stack":
        """`keep` returns the stack of the networks of these rows."""
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        shapes, start = own.pop("shapes"), own.pop("start")
        kept = {name: picked(value, rows) for name, value in own.items()}
        return Stack(shapes=shapes, start=start[rows] if len(start) else start, **kept)

    def copies(self) -> list[Tensor]:
        """`copies` returns a copy of every tensor that a step changes: weights and optimizer state."""
        return [tensor.clone() for tensor in self._changing()]

    def restore(self, copies: Sequence[Tensor]) -> None:
        for tensor, copy in zip(self._changing(), copies, strict=True):
            tensor.copy_(copy)

    def _changing(self) -> list[Tensor]:
        return [self.theta, *self.others.values(), *self.state]

    def _views(self, row: Tensor) -> dict[int, Tensor]:
        return dict(zip(self.shapes, layers_of(row, list(self.shapes.values())), strict=True))


def stacked(
    trained: Sequence[int],
    weights: Sequence[Tensor],
    x: Tensor,
    y: Tensor,
    test: Sequence[Tensor],
    numbers: Mapping[str, Tensor],
    keeps_start: bool,
) -> Stack:
    """`stacked` returns networks with these weights [E, K, out, in], which are copied, and numbers [E]."""
    theta = row_of([weights[layer] for layer in trained])
    broad = {name: number.to(y).reshape(-1, 1, 1, 1) for name, number in numbers.items()}
    if "epsilon" in broad:  # a quotient 0/(0 + ε) is 0 then, see `minima.engine.quotients`
        broad["epsilon"] = broad["epsilon"].clamp(min=torch.finfo(y.dtype).tiny)
    shapes = {layer: tuple(weights[layer].shape[2:]) for layer in trained}
    others = {layer: weight.clone() for layer, weight in enumerate(weights) if layer not in shapes}
    start = theta.clone() if keeps_start else theta[:0]
    return Stack(shapes, others, x, y, list(test), theta, torch.zeros_like(theta), start, [], broad)


def row_of(layers: Sequence[Tensor]) -> Tensor:
    """`row_of` returns these layers one behind the other in memory of their own."""
    return torch.cat([layer.flatten(2) for layer in layers], dim=2).unsqueeze(2)


def layers_of(row: Tensor, shapes: Sequence[tuple[int, int]]) -> list[Tensor]:
    """`layers_of` returns the views [..., out, in] of a row [..., 1, P] that are layers of these shapes."""
    return split(row.squeeze(-2), shapes)
