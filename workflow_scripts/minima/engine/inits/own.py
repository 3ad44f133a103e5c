"""The initialization that a module has of its own, under a seed of the cell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from minima.plan.inits import ModuleInit
from minima.plan.networks import kind_of

if TYPE_CHECKING:
    from numpy import ndarray

    from minima.engine.networks.module import ModuleNet


class Own(ModuleInit):
    """The module's own initialization, as its code draws it."""

    @classmethod
    def not_for(cls, network: Mapping[str, Any]) -> str:
        kind = kind_of(network)
        if kind.BY_LAYERS or kind.OWN_START:
            return super().not_for(network)
        return f"init.scheme: own is for modules of your own; {network['kind']} has torch_default"


def start(model: ModuleNet, options: Mapping[str, Any], seed: int, x: ndarray | None = None) -> list[ndarray]:
    """`start` returns all tensors [1, out, in] as the module itself starts, at the scale asked for."""
    from minima.engine.networks.starts import started

    own = model.own(seed)
    if own is None:
        raise ValueError("init.scheme: own needs a network that is made by ModuleNet.of(make, row)")
    return started(model, own, options, x)
