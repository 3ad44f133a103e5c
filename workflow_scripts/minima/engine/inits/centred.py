"""Train f − f₀: the kernel of a network without its initial function."""

from collections.abc import Iterator, Mapping
from typing import Any

from minima.plan.inits import ChangedInit
from minima.plan.networks import kind_of

DRAWS = False
CENTRED = True


class Centred(ChangedInit):
    """Train f − f₀; loss: mse only."""

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        yield from super().impossible(cell)
        if (loss := cell["loss"]) != "mse":
            yield f"init.scheme: centred needs loss: mse, not {loss}"
        if reason := kind_of(cell["network"]).ties_points(cell["network"]):
            yield f"init.scheme: centred needs f₀ of each point: {reason}"
