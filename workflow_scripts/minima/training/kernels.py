"""The tangent kernels of a stack at its start, for the cells that ask for anything in terms of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from minima.engine.decompositions import eigh, eigvalsh
from minima.engine.ensemble import Ensemble
from minima.engine.tangent import tangent_kernel
from minima.training import kernel_units
from minima.training.start import Start

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Kernel:
    """`Kernel` is one network's: between all points and the training points, in float64, and the ascending
    eigenvalues between the training points."""

    values: Array
    spectrum: Array

    @property
    def between_training_points(self) -> Array:
        return self.values[: self.values.shape[1]]


def kernels_of(cells: Sequence[Mapping[str, Any]], ensemble: Ensemble, start: Start) -> list[Kernel | None]:
    """`kernels_of` returns the kernel of each network, None for a network that does not need its kernel."""
    return [_kernel(ensemble, start, row) if _needs(cell) else None for row, cell in enumerate(cells)]


def _needs(cell: Mapping[str, Any]) -> bool:
    options = cell["optimizer"].get("lr"), cell["optimizer"].get("momentum")
    return bool(cell["predict"]) or cell["record"]["spectrum"] or any(map(kernel_units.is_relative, options))


def _kernel(ensemble: Ensemble, start: Start, row: int) -> Kernel:
    """`_kernel` returns one network's kernel: one at a time needs memory for one network's signals, whatever
    the stack."""
    weights = [weight[row : row + 1].double() for weight in start.weights]
    kernel = tangent_kernel(ensemble, weights, start.x_all[row : row + 1].double(), start.points)
    values = kernel[0].cpu().numpy()
    return Kernel(values, eigvalsh(torch.from_numpy(values[: values.shape[1]])).numpy())


def stored(kernel: Kernel | None, start: Start, row: int, spectrum: bool) -> dict[str, Any]:
    """`stored` returns what a cell stores of its kernel: the extreme eigenvalues and, where the spectrum is
    asked for, all of them and the components of the start's error along the eigenvectors, from which
    `minima.theory.dynamics` predicts a training curve."""
    if kernel is None:
        return {}
    values = {"kernel_max": kernel.spectrum[-1], "kernel_min": kernel.spectrum[0]}
    if not spectrum:
        return values
    eigenvalues, basis = eigh(torch.from_numpy(kernel.between_training_points))
    error = (start.f[row, : start.points] - start.y[row]).double().cpu().numpy()
    return values | {"kernel_spectrum": eigenvalues.numpy(), "start_error": basis.numpy().T @ error.ravel()}
