"""All trained weights of a network in one row of memory.

A step of an optimizer is then one call per operation, whatever the number of layers, and the layers are views
of the row. Shapes: weights [E, K, out, in] per layer; a row [E, K, 1, P].
"""

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor


def row_of(layers: Sequence[Tensor]) -> Tensor:
    """`row_of` returns these layers one behind the other in memory of their own."""
    return torch.cat([layer.flatten(2) for layer in layers], dim=2).unsqueeze(2)


def layers_of(row: Tensor, shapes: Sequence[tuple[int, int]]) -> list[Tensor]:
    """`layers_of` returns the views [..., out, in] of a row [..., 1, P] that are layers of these shapes."""
    parts = row.squeeze(-2).split([prod(shape) for shape in shapes], dim=-1)
    return [part.unflatten(-1, shape) for part, shape in zip(parts, shapes, strict=True)]
