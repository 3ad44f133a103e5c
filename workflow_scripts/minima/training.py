"""Cells in, trained cells out: initialization, learning rates, predicted minimizers and the training itself.

All of a call's cells belong to one group (same data recipe, architecture, optimizer …). No file is opened
and nothing is remembered here; `minima.packs` wraps this in a job.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from minima.engine.core import Ensemble, Finished, Rules, train
from minima.engine.inits.scheme import Scheme
from minima.recording import coordinates
from minima.theory.empirical import tangent_kernel

logger = logging.getLogger("minima")

Array = NDArray[np.float64]
STACK_BYTES = 2**20  # weights of the networks trained together: about what a core's L2 cache holds


@dataclass(frozen=True)
class Arrays:
    """One split of the data: x [n, d], y [n, outputs] for training and test points."""

    x_train: Array
    y_train: Array
    x_test: Array
    y_test: Array


@dataclass(frozen=True)
class Trained:
    """One cell's results by variable name; `position` is the cell's place among those asked for."""

    position: int
    values: dict[str, Any]


@dataclass
class _Start:
    """A stack of networks before its first step; everything along the first dimension."""

    weights: list[Tensor]  # [E, K, out, in]
    x: Tensor  # training points
    x_all: Tensor  # training points, then test points
    y: Tensor  # what f is trained towards; f₀ is added where the scheme is centred
    f: Tensor  # f₀ at x_all
    offset: Tensor  # what is taken off f to get the prediction: f₀ where centred, else 0


def train_cells(
    cells: Sequence[Mapping[str, Any]], splits: Sequence[Arrays], device: torch.device
) -> Iterator[Trained]:
    """Trains `cells[i]` on `splits[i]`; yields each cell as it finishes."""
    first = cells[0]
    model = import_module(f"minima.engine.models.{first['network']['kind']}").build(
        first["network"], splits[0].x_train.shape[1], splits[0].y_train.shape[1]
    )
    scheme: Scheme = import_module(f"minima.engine.inits.{first['init']['scheme']}").SCHEME
    ensemble = Ensemble(model, scheme.readout)
    size = stack_size(model.weight_shapes, len(scheme.readout), first["dtype"], device)
    for begin in range(0, len(cells), size):
        part = slice(begin, begin + size)
        for trained in _train_stack(ensemble, scheme, cells[part], splits[part], device):
            yield Trained(begin + trained.position, trained.values)


def stack_size(shapes: Sequence[tuple[int, int]], copies: int, dtype: str, device: torch.device) -> int:
    """How many networks to train together: what fits the cache on a CPU, all of them on a GPU."""
    if device.type != "cpu":
        return 2**30
    network = copies * sum(out * into for out, into in shapes) * getattr(torch, dtype).itemsize
    return max(1, STACK_BYTES // network)


def _train_stack(
    ensemble: Ensemble,
    scheme: Scheme,
    cells: Sequence[Mapping[str, Any]],
    splits: Sequence[Arrays],
    device: torch.device,
) -> Iterator[Trained]:
    first = cells[0]
    start = _start(ensemble, scheme, cells, splits, device)
    kernels = _kernels(ensemble, start) if _needs_kernel(first) else None
    edges = [_edge(kernel, start.x.shape[1]) for kernel in kernels or ()]
    rates = [_rate(cell["optimizer"]["lr"], edges[i] if edges else None) for i, cell in enumerate(cells)]
    numbers = {
        name: torch.tensor([float(cell["optimizer"][name]) for cell in cells], dtype=torch.float64)
        for name in first["optimizer"]
        if name not in ("name", "lr")
    } | {"lr": torch.tensor(rates, dtype=torch.float64)}
    recorded = coordinates(first)
    rules = Rules(
        residual=torch.tensor([cell["stop"]["residual"] for cell in cells], dtype=torch.float64),
        loss=torch.tensor([cell["stop"]["loss"] or -1.0 for cell in cells], dtype=torch.float64),
        max_steps=first["stop"]["max_steps"],
        record_steps=recorded["step"],
        record_residuals=recorded["level"],
    )
    initial = [weight.clone() for weight in start.weights]
    optimizer = import_module(f"minima.engine.optimizers.{first['optimizer']['name']}")
    for done in train(ensemble, start.weights, start.x, start.y, optimizer, numbers, rules):
        values = _results(ensemble, done, start, [weight[done.index] for weight in initial])
        values["learning_rate"] = rates[done.index]
        if kernels is not None:
            kernel = kernels[done.index]
            eigenvalues = np.linalg.eigvalsh(kernel[: kernel.shape[1]])
            values |= {"kernel_max": eigenvalues[-1], "kernel_min": eigenvalues[0]}
            values |= _predictions(first["predict"], kernel, start, done.index, splits[done.index])
        if first["keep_parameters"]:
            values["parameters"] = torch.cat([weight.flatten() for weight in done.weights]).cpu().numpy()
        yield Trained(done.index, values)


def _start(
    ensemble: Ensemble,
    scheme: Scheme,
    cells: Sequence[Mapping[str, Any]],
    splits: Sequence[Arrays],
    device: torch.device,
) -> _Start:
    """Draws weights and evaluates f₀."""
    dtype = getattr(torch, cells[0]["dtype"])

    def stacked(arrays: Sequence[Array]) -> Tensor:
        return torch.as_tensor(np.stack(arrays), dtype=dtype, device=device)

    drawn = [_draw(ensemble, scheme, cell) for cell in cells]
    weights = [stacked(layer) for layer in zip(*drawn, strict=True)]
    x_all = stacked([np.concatenate([split.x_train, split.x_test]) for split in splits])
    points = splits[0].x_train.shape[0]
    y = stacked([split.y_train for split in splits])
    f, _ = ensemble.forward(weights, x_all)
    offset = f if scheme.centred else torch.zeros_like(f)
    return _Start(weights, x_all[:, :points].contiguous(), x_all, y + offset[:, :points], f, offset)


def _draw(ensemble: Ensemble, scheme: Scheme, cell: Mapping[str, Any]) -> list[Array]:
    stds = [cell["init"]["scale"] * std for std in ensemble.model.draw_stds]
    weights = scheme.draw(ensemble.model.weight_shapes, stds, cell["seed"])
    if cell["init"]["flip"]:
        weights[-1] = -weights[-1]
    return weights


def _needs_kernel(cell: Mapping[str, Any]) -> bool:
    return bool(cell["predict"]) or isinstance(cell["optimizer"]["lr"], dict)


def _kernels(ensemble: Ensemble, start: _Start) -> list[Array]:
    """The tangent kernel at the start, of all points against the training points, in float64, per network."""
    columns = start.x.shape[1]
    kernels = []
    for row in range(len(start.x_all)):  # one by one: memory for one network's signals, whatever the stack
        weights = [weight[row : row + 1].double() for weight in start.weights]
        kernel = tangent_kernel(ensemble, weights, start.x_all[row : row + 1].double(), columns)
        kernels.append(kernel[0].cpu().numpy())
    return kernels


def _edge(kernel: Array, points: int) -> float:
    """The stability edge 2N/λmax; 0 for a network that no step moves (all its ReLUs are off)."""
    top = float(np.linalg.eigvalsh(kernel[: kernel.shape[1]])[-1])
    return 2 * points / top if top > 0 else 0.0


def _rate(lr: float | Mapping[str, float], edge: float | None) -> float:
    """The absolute learning rate; `edge` = 2N/λmax."""
    if isinstance(lr, Mapping):
        assert edge is not None
        return lr["relative"] * edge
    return lr


def _predictions(
    names: Sequence[str], kernel: Array, start: _Start, row: int, split: Arrays
) -> dict[str, Array]:
    """Each predicted minimizer at the test points."""
    f = (start.f - start.offset)[row].double().cpu().numpy()
    predict: Callable[..., Array]
    found = {}
    for name in names:
        predict = import_module(f"minima.theory.{name}").predict
        found[f"{name}_test"] = predict(kernel, f, split.y_train)
    return found


def _results(ensemble: Ensemble, done: Finished, start: _Start, initial: Sequence[Tensor]) -> dict[str, Any]:
    """What every cell stores. A diverged network has no minimizer: its predictions are NaN."""
    points = start.x.shape[1]
    row = done.index
    f, _ = ensemble.forward([weight.unsqueeze(0) for weight in done.weights], start.x_all[row : row + 1])
    end = f[0] - start.offset[row]
    if done.status == "diverged":
        end = torch.full_like(end, torch.nan)
    begin = start.f[row] - start.offset[row]

    def norms(weights: Sequence[Tensor]) -> list[float]:
        return [float(torch.linalg.vector_norm(weight)) for weight in weights]

    first_steps = done.residual_steps.cpu().numpy()
    travelled = [after - before for after, before in zip(done.weights, initial, strict=True)]
    return {
        "status": done.status,
        "steps": done.steps,
        "residual": done.residual,
        "loss": done.losses.cpu().numpy(),
        "residual_steps": np.where(first_steps < 0, np.nan, first_steps),
        "start_train": begin[:points].cpu().numpy(),
        "start_test": begin[points:].cpu().numpy(),
        "train": end[:points].cpu().numpy(),
        "test": end[points:].cpu().numpy(),
        "start_norm": np.array(norms(initial)),
        "norm": np.array(norms(done.weights)),
        "distance": np.array(norms(travelled)),
    }
