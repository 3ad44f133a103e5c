"""How long descent takes on the data at hand, from the spectrum of their tangent kernel.

Descent at the share r of the stability edge multiplies the error along an eigenvector of eigenvalue λ by
exp(−2rkλ/λmax) in k steps. With the kernel Θ and the covariance σ^2L K of the outputs at the start, both of
infinite width, on the training rows of one split, the residual after the time t = rk/(1 − μ) is

    R(t)² = Σ c_i exp(−4tλ_i/λmax)/Σ c_i,   c_i = v_iᵀ(yyᵀ + σ^2L K)v_i

and steps follow before anything is trained. Finite widths are slower, by the recorded slope.
"""

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from math import exp, log
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minima.data.files import load_split, split_digests
from minima.data.pool import DataError
from minima.data.prepare import prepare
from minima.plan.convergence import NUMBERS, WIDE, Kind, Trajectory, family_of, kind_of, recorded
from minima.plan.files import data_file, training_rows
from minima.plan.grid import Cell
from minima.plan.workplan import Plan
from minima.theory.kernels import nngp_and_ntk

logger = logging.getLogger("minima")

MOST_ROWS = 1000  # whose kernel takes a second
LEVELS = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 5e-3, 2e-3, 1e-3, 1e-4, 1e-5, 1e-6)
WIDTH = list(NUMBERS).index("width")


def spectral(plan: Plan, cells: Iterable[Cell]) -> list[Trajectory]:
    """`spectral` returns the trajectories that theory predicts for those of the cells whose rate is a share
    of the stability edge and whose data are here: prepared, or to be made of what is on this machine."""
    examples: dict[Kind, Cell] = {}
    for cell in cells:
        if _is_told(cell):
            examples.setdefault(kind_of(cell.values, "residual"), cell)
    spectra: dict[tuple, tuple[NDArray, NDArray] | None] = {}
    found = []
    for kind, cell in examples.items():
        network, scale = cell["network"], cell["init"].get("scale", 1.0)
        key = (data_file(cell).name, network["depth"], network["activation"], scale)
        if key not in spectra:
            data = _training_rows(plan, cell)
            spectra[key] = None if data is None else _modes(data, network, scale)
        if (modes := spectra[key]) is not None:
            found.append(_trajectory(kind, *modes))
    return found


def _is_told(cell: Cell) -> bool:
    """Whether the kernel of infinite width is known and is the one that descends."""
    network, optimizer = cell.part("network"), cell["optimizer"]
    return (
        not any(network.wide_kernel_needs())
        and not network.frozen
        and cell["loss"] == "mse"
        and cell["stop"]["residual"] is not None
        and family_of(optimizer["name"]) == "descent"
        and isinstance(optimizer["lr"], dict)
        and "relative" in optimizer["lr"]
        and not isinstance(optimizer.get("momentum"), dict)
        and not optimizer["weight_decay"]["strength"]
        and training_rows(cell["data"]) * cell.recipe.output_count() <= MOST_ROWS
    )


def _training_rows(plan: Plan, cell: Cell) -> tuple[NDArray, NDArray] | None:
    """`_training_rows` returns x and y of the cell's split; None where they cannot be read, or would have to
    be downloaded: nobody waits for that to be told a price."""
    path = Path(plan.paths.data(data_file(cell).name))
    try:
        if path.exists() and cell.split in split_digests(path):
            data = load_split(path, cell.split, ["x_train", "y_train"])
        elif not cell.recipe.downloaded and all(map(os.path.exists, plan.own_files(data_file(cell).name))):
            data = prepare(cell.recipe, [cell.split], plan.config.data_dir).isel(split=0)
        else:
            return None
    except (DataError, OSError, ValueError) as error:
        logger.info("no spectrum of %s: %s", path, error)
        return None
    return data["x_train"].values, data["y_train"].values


def _modes(
    data: tuple[NDArray, NDArray], network: Mapping[str, Any], scale: float
) -> tuple[NDArray, NDArray]:
    """λ_i/λmax and c_i, of all outputs together."""
    x, y = data
    kernels = nngp_and_ntk(x, depth=network["depth"], activation=network["activation"])
    values, vectors = np.linalg.eigh(kernels.ntk)
    start = np.einsum("ni,nm,mi->i", vectors, kernels.nngp, vectors) * scale ** (2 * network["depth"])
    return np.maximum(values, 0) / values[-1], ((vectors.T @ y) ** 2).sum(1) + y.shape[1] * start


def _trajectory(kind: Kind, shares: NDArray, power: NDArray) -> Trajectory:
    def residual(log_time: float) -> float:
        return float(np.sqrt((power * np.exp(-4 * shares * exp(log_time))).sum() / power.sum()))

    slope = recorded().slopes.get(kind.family, {}).get("width", 0.0)
    slower = exp(slope * (kind.numbers[WIDTH] - log(WIDE)))
    reached = [(level, exp(_time_to(level, residual)) * slower / kind.clock) for level in LEVELS]
    return Trajectory(kind, None, reached[-1][1], tuple(reached))


def _time_to(level: float, residual: Callable[[float], float]) -> float:
    """ln t at which the residual falls to `level`, by bisection."""
    low, high = -5.0, 25.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if residual(middle) > level else (low, middle)
    return high
