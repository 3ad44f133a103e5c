"""Train f − f₀: the kernel of the gaussian init without its initial function."""

from collections.abc import Iterator, Mapping
from typing import Any

from minima.engine.draws import gaussian
from minima.plan.inits import LayerInit


class Centred(LayerInit):
    """Train f − f₀; loss: mse only."""

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        yield from super().impossible(cell)
        if (loss := cell["loss"]) != "mse":
            yield f"init.scheme: centred needs loss: mse, not {loss}"


draw = gaussian
CENTRED = True
