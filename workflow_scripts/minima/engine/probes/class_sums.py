"""The sums x₊ and x₋ of the training inputs with targets above and below 0: norms, and cosine between both.

Of the data alone, the same at every step: ‖x₊‖ is the rate at which neurons that see the class +1 alone grow
while f is near 0, and the cosine says how far apart both classes pull.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from minima.plan.marks import Probe
from minima.plan.recipes import output_count

if TYPE_CHECKING:
    from torch import Tensor

    from minima.engine.state import State


class ClassSums(Probe):
    """Norms of the sums of the inputs with targets above and below 0, and the cosine between both."""

    dims = ("class_sum",)

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        if (outputs := output_count(cell["data"])) != 1:
            yield f"record.probes: {self.called()} is for one output, and the data have {outputs}"


def measure(state: State) -> Tensor:
    """`measure` returns ‖x₊‖, ‖x₋‖ and cos(x₊, x₋) [E, 3]; the cosine is NaN where one of both is 0."""
    import torch

    plus, minus = ((state.x * (sign * state.y > 0)).sum(1) for sign in (1, -1))
    norms = [torch.linalg.vector_norm(one, dim=1) for one in (plus, minus)]
    return torch.stack([*norms, (plus * minus).sum(1) / (norms[0] * norms[1])], dim=1)
