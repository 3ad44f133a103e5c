"""Stable rank of each weight matrix, ‖W‖²_F/‖W‖²₂: how many directions it has, by energy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.marks import ProbeOfOwnLayers

if TYPE_CHECKING:
    from torch import Tensor

    from minima.engine.state import State


class StableRank(ProbeOfOwnLayers):
    """Stable rank ‖W‖²_F/‖W‖²₂ of each weight matrix."""

    dims = ("layer",)


def measure(state: State) -> Tensor:
    """`measure` returns the stable ranks [E, layers], from 1 to the rank; NaN of a layer of zeros."""
    import torch

    return torch.stack([_stable_rank(weight[:, 0]) for weight in state.weights], dim=1)


def _stable_rank(weight: Tensor) -> Tensor:
    """The stable rank [E] of matrices [E, out, in]."""
    from minima.engine.decompositions import eigvalsh

    out, into = weight.shape[1:]
    gram = weight @ weight.mT if out <= into else weight.mT @ weight  # the smaller one: its trace is ‖W‖²_F
    return gram.diagonal(dim1=1, dim2=2).sum(1) / eigvalsh(gram)[:, -1]
