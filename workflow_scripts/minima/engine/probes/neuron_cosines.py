"""How near neurons point to the sum of their class, x± = Σ over y_i = ±1 of x_i for the sign of v_j."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.marks import ProbeOfNeurons

if TYPE_CHECKING:
    from torch import Tensor

    from minima.engine.state import State


class NeuronCosines(ProbeOfNeurons):
    """Cosine of live neurons to the sum of the points of their class: median, least, and mean by energy
    ‖w‖²."""

    dims = ("neuron_cosine",)


def measure(state: State) -> Tensor:
    """`measure` returns median, least and energy-weighted mean [E, 3] over the neurons that see a point; NaN
    where none does. A neuron whose class has no point has no cosine and is left out."""
    import torch

    from minima.engine.neurons import neurons_of

    now = neurons_of(state, state.weights)
    classes = torch.stack([now.y < 0, now.y > 0], dim=1).to(state.x)  # [E, 2, n]
    sums = torch.nn.functional.normalize(classes @ state.x, dim=2, eps=0)
    energy = now.w.square().sum(2)
    toward = (now.w @ sums.mT).gather(2, (now.v > 0).long().unsqueeze(2))[..., 0]
    cosines = torch.where(now.dead, torch.nan, toward / energy.sqrt())
    counted = torch.where(cosines.isnan(), 0, energy)
    weighted = (counted * cosines.nan_to_num()).sum(1) / counted.sum(1)
    least = torch.where(cosines.isnan(), torch.inf, cosines).amin(1)
    least = torch.where(least.isinf(), torch.nan, least)
    return torch.stack([cosines.nanquantile(0.5, dim=1), least, weighted], dim=1)
