"""One hidden layer whose units are as long on both sides: |v_j| = ‖w_j‖ (2307.12851).

The difference v_j² − ‖w_j‖² of a homogeneous unit is kept by gradient flow, under every parametrization, so
that a unit that starts balanced stays so and never changes the sign of v_j.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from minima.engine.draws import gaussian
from minima.plan.inits import LayerInit
from minima.plan.networks import has_one_hidden_layer
from minima.plan.recipes import output_count

if TYPE_CHECKING:
    from numpy import ndarray


class NeuronBalanced(LayerInit):
    """Independent normal weights of the first layer; those of the second as long as each unit's, of random
    signs."""

    @classmethod
    def not_for(cls, network: Mapping[str, Any]) -> str:
        needs = f"init.scheme: {cls.called()} is for one hidden layer: depth: 2"
        return super().not_for(network) or ("" if has_one_hidden_layer(network) else needs)

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        yield from super().impossible(cell)
        if (outputs := output_count(cell["data"])) != 1:
            yield f"init.scheme: {self.called()} is for one output, and the data have {outputs}"
        if self.output != "gaussian" or self.layer_scales is not None:
            both = "init.output and init.layer_scales"
            yield f"init.scheme: {self.called()} sets the second layer by the first: leave out {both}"


def draw(shapes: Sequence[tuple[int, int]], stds: Sequence[float], seed: int, x: ndarray) -> list[ndarray]:
    import numpy as np

    first, second = gaussian(shapes, stds, seed)
    return [first, np.sign(second) * np.linalg.norm(first, axis=2)[:, None]]
