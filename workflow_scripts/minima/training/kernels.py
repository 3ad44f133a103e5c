"""The tangent kernels of a stack at its start, for the cells that ask for anything in terms of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from minima.engine import budget
from minima.engine.decompositions import eigh, eigvalsh
from minima.engine.ensemble import Ensemble
from minima.engine.jacobians import jacobian
from minima.forms import in_kernel_units
from minima.theory.lanczos import largest_eigenvalue
from minima.training.start import Start

Array = NDArray[np.float64]
LANCZOS_FROM = 100_000  # points × outputs²: from here on products with J are cheaper than the kernel


@dataclass(frozen=True)
class Kernel:
    """`Kernel` is one network's: between the training points, in float64, and its ascending eigenvalues.
    Where only the largest is asked for and it was cheaper to find alone, there is no more than that."""

    values: Array | None
    spectrum: Array


def kernels_of(cells: Sequence[Mapping[str, Any]], ensemble: Ensemble, start: Start) -> list[Kernel | None]:
    """`kernels_of` returns the kernel of each network, None for a network that does not need its kernel."""
    needs = [(_needs_values(cell), _needs_edge(cell)) for cell in cells]
    return [
        _kernel(ensemble, start, row, values) if values or edge else None
        for row, (values, edge) in enumerate(needs)
    ]


def _needs_values(cell: Mapping[str, Any]) -> bool:
    rate, momentum = (cell["optimizer"].get(name) for name in ("lr", "momentum"))
    least = in_kernel_units(momentum) or (in_kernel_units(rate) and "relative" not in rate)
    return bool(cell["predict"]) or cell["record"]["spectrum"] or least


def _needs_edge(cell: Mapping[str, Any]) -> bool:
    return in_kernel_units(cell["optimizer"].get("lr"))


def _kernel(ensemble: Ensemble, start: Start, row: int, values: bool) -> Kernel:
    """`_kernel` returns one network's kernel: one at a time needs memory for one network's signals, whatever
    the stack. Without `values` the edge is enough."""
    if getattr(ensemble.model, "ties_points", False):  # where the plan could not know it
        raise ValueError(
            "network: batch normalization in training ties points together, and the tangent kernel is one "
            "between points: keep the statistics of the start (batch_norm: frozen)"
        )
    weights = [weight[row : row + 1].double() for weight in start.weights]
    f, rows = jacobian(ensemble, weights, start.x[row : row + 1].double())
    if not values and _is_dear(f.shape[1], f.shape[2]):
        return Kernel(None, np.array([largest_eigenvalue(rows, f)]))
    kernel = rows.kernel()[0].cpu()
    return Kernel(kernel.numpy(), eigvalsh(kernel).numpy())


def _is_dear(points: int, outputs: int) -> bool:
    """`_is_dear` returns whether products with J are cheaper than the kernel."""
    size = points * outputs
    return size * outputs > LANCZOS_FROM or 3 * size**2 > budget.numbers(8)


def stored(kernel: Kernel | None, start: Start, row: int, spectrum: bool) -> dict[str, Any]:
    """`stored` returns what a cell stores of its kernel: the extreme eigenvalues and, where the spectrum is
    asked for, all of them and the components of the start's error along the eigenvectors, from which
    `minima.theory.dynamics` predicts a training curve."""
    if kernel is None:
        return {}
    values = {"kernel_max": kernel.spectrum[-1]}
    if kernel.values is None:
        return values
    values["kernel_min"] = kernel.spectrum[0]
    if not spectrum:
        return values
    eigenvalues, basis = eigh(torch.from_numpy(kernel.values))
    error = (start.f[row, : start.points] - start.y[row]).double().cpu().numpy()
    return values | {"kernel_spectrum": eigenvalues.numpy(), "start_error": basis.numpy().T @ error.ravel()}
