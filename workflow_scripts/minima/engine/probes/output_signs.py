"""How often output weights change sign, and whether they have the sign that the start predicts.

While a network is small, v_j and g_j = ⟨w_j, x_a⟩/‖x_a‖ grow into each other, v̇ = ‖x_a‖g and ġ = ‖x_a‖v with
x_a = Σ y_i x_i over the points that the neuron sees, so that both become ½(v_j + g_j)e^{‖x_a‖t}: the sign of
their sum at the start is that of v_j later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.marks import ProbeOfNeurons

if TYPE_CHECKING:
    from torch import Tensor

    from minima.engine.state import State

NEEDS_START = True


class OutputSigns(ProbeOfNeurons):
    """Share of output weights whose sign is not that of the start; share whose sign is that of v + g at the
    start."""

    dims = ("output_sign",)


def measure(state: State) -> Tensor:
    """`measure` returns the share of output weights that changed sign and the share that have the predicted
    one [E, 2]. A neuron that sees no point at the start is predicted to keep its sign."""
    import torch

    from minima.engine.neurons import neurons_of

    then, now = neurons_of(state, state.start), neurons_of(state, state.weights)
    toward = (then.sees * then.y.unsqueeze(1)) @ state.x  # x_a [E, m, d]
    g = (then.w * torch.nn.functional.normalize(toward, dim=2, eps=torch.finfo(toward.dtype).tiny)).sum(2)
    positive = now.v > 0
    changed, predicted = positive != (then.v > 0), positive == (then.v + g > 0)
    return torch.stack([part.double().mean(1) for part in (changed, predicted)], dim=1)
