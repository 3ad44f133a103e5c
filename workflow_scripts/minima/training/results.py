"""What a trained cell stores, by the names of `minima.plan.marks.variables`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from minima.engine import products
from minima.engine.ensemble import Ensemble
from minima.engine.record import Finished
from minima.training.methods import STORED_AS
from minima.training.recording import plane_grid
from minima.training.start import Start, probes_of

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Trained:
    """`Trained` holds one cell's results by variable name; `position` is the cell's index in the call."""

    position: int
    values: dict[str, Any]


def results_of(
    cell: Mapping[str, Any],
    ensemble: Ensemble,
    start: Start,
    done: Finished,
    numbers: Mapping[str, float] | None,
) -> dict[str, Any]:
    """`results_of` returns what is stored of a network at its end; `numbers` are the absolute ones with which
    it was trained, None for a flow."""
    weights = [weight.unsqueeze(0) for weight in done.weights]
    values = _recorded(done) | _functions(ensemble, start, done, weights) | _weights(ensemble, start, done)
    values |= {
        "device": start.x.device.type,
        "products": products.described() if start.x.device.type == "cpu" else "torch",
    }
    if numbers is None:
        values |= {"flow_time": done.time, "time_path": done.times.cpu().numpy()}
    else:
        values |= {STORED_AS[name]: number for name, number in numbers.items() if name in STORED_AS}
    for name, probe in probes_of(cell).items():
        if hasattr(probe, "of_weights"):
            values[name] = probe.of_weights(ensemble, weights)[0].cpu().numpy()
    if (plane := cell["record"]["plane"]) is not None:
        values["plane"] = _on_plane(ensemble, weights, plane)
    if cell["keep_parameters"]:
        values["parameters"] = torch.cat([weight.flatten() for weight in done.weights]).cpu().numpy()
    return values


def _recorded(done: Finished) -> dict[str, Any]:
    first_steps = done.residual_steps.cpu().numpy()
    return {
        "status": done.status,
        "steps": done.steps,
        "residual": done.residual,
        "loss": done.losses.cpu().numpy(),
        **{f"{name}_path": values.cpu().numpy() for name, values in done.probes.items()},
        "residual_steps": np.where(first_steps < 0, np.nan, first_steps),
    }


def _functions(
    ensemble: Ensemble, start: Start, done: Finished, weights: Sequence[Tensor]
) -> dict[str, Array]:
    """`_functions` returns the predictions at start and end; NaN at the end of a diverged network, which has
    no minimizer."""
    row, points = done.index, start.points
    f, _ = ensemble.forward(weights, start.x_all[row : row + 1])
    end = f[0] - start.offset[row]
    if done.status == "diverged":
        end = torch.full_like(end, torch.nan)
    begin = start.f[row] - start.offset[row]
    return {
        "start_train": begin[:points].cpu().numpy(),
        "start_test": begin[points:].cpu().numpy(),
        "train": end[:points].cpu().numpy(),
        "test": end[points:].cpu().numpy(),
    }


def _weights(ensemble: Ensemble, start: Start, done: Finished) -> dict[str, Array]:
    """`_weights` returns the sizes of the layers and how far they travelled."""
    pairs = [(start.weights[i][done.index], done.weights[i]) for i in ensemble.parameters]

    def norms(tensors: Sequence[Tensor]) -> Array:
        return np.array([float(torch.linalg.vector_norm(tensor)) for tensor in tensors])

    return {
        "start_norm": norms([first for first, _ in pairs]),
        "norm": norms([last for _, last in pairs]),
        "distance": norms([last - first for first, last in pairs]),
    }


def _on_plane(ensemble: Ensemble, weights: Sequence[Tensor], plane: Mapping[str, Any]) -> Array:
    """`_on_plane` returns f on a grid over the plane of the inputs [y, x, output]."""
    axis = torch.tensor(plane_grid(plane), dtype=weights[0].dtype, device=weights[0].device)
    points = torch.cartesian_prod(axis, axis).flip(1)
    f, _ = ensemble.forward(weights, points[None])
    return f[0].unflatten(0, (len(axis), len(axis))).cpu().numpy()
