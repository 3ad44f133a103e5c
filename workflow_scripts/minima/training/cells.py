"""From cells to trained cells: initialization, learning rates, predicted minimizers and the training itself.

All cells of a call belong to one group (same data recipe, architecture, optimizer …). This module opens no
file and keeps no state; `minima.jobs.train_pack` wraps it in a job.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from minima.engine import draws, products
from minima.engine.core import Finished, Rules, train
from minima.engine.decompositions import eigh, eigvalsh
from minima.engine.device import cache_bytes
from minima.engine.ensemble import Ensemble
from minima.engine.tangent import tangent_kernel
from minima.forms import probe_module
from minima.training import kernel_units
from minima.training.methods import STORED_AS, fitting_form, recipe_of, resolved_numbers
from minima.training.recording import coordinates, plane_grid

logger = logging.getLogger("minima")

Array = NDArray[np.float64]
BELOW_ZERO = -1e-30  # a residual that is never reached, not even where the loss is rounded to 0


@dataclass(frozen=True)
class Arrays:
    """`Arrays` is one split of the data: x [n, d] and y [n, outputs] of training and test points, and the
    shape of one row, (channels, height, width) for images, where rows have one."""

    x_train: Array
    y_train: Array
    x_test: Array
    y_test: Array
    shape: tuple[int, ...] = ()


@dataclass(frozen=True)
class Trained:
    """`Trained` holds one cell's results by variable name; `position` is the cell's index in the call."""

    position: int
    values: dict[str, Any]


class DoesNotFit(RuntimeError):
    """`DoesNotFit` says that a stack of networks needs more memory than the device has."""

    def __init__(self, networks: int) -> None:
        super().__init__(f"{networks} networks do not fit the memory of the device, halved as they were")
        self.networks = networks


@dataclass
class _Start:
    """`_Start` is a stack of networks before its first step, networks along the first dimension."""

    weights: list[Tensor]  # [E, K, out, in]
    x: Tensor  # training points
    x_all: Tensor  # training points, then test points
    y: Tensor  # what f is trained towards; f₀ is added where the scheme is centred
    f: Tensor  # f₀ at x_all
    offset: Tensor  # what is taken off f to get the prediction: f₀ where centred, else 0
    test: Sequence[Tensor] = ()  # test points and their targets, where a probe asks for them


def train_cells(
    cells: Sequence[Mapping[str, Any]], splits: Sequence[Arrays], device: torch.device
) -> Iterator[Trained]:
    """`train_cells` trains `cells[i]` on `splits[i]` and yields each cell as it finishes."""
    first = cells[0]
    kind = import_module(f"minima.engine.models.{first['network']['kind']}")
    model = kind.build(
        first["network"], splits[0].shape or splits[0].x_train.shape[1:], splits[0].y_train.shape[1]
    )
    scheme = import_module(f"minima.engine.inits.{first['init']['scheme']}")
    asked_for = model
    if stand_in := getattr(scheme, "stand_in", None):
        model = stand_in(model, splits[0].x_train.shape[0])
    ensemble = Ensemble(model, getattr(scheme, "READOUT", (1.0,)))
    _warn_of_rounding(cells)

    def train_some(positions: Sequence[int]) -> Iterator[Trained]:
        some = [cells[i] for i in positions], [splits[i] for i in positions]
        for trained in _train_stack(ensemble, asked_for, scheme, *some, device):
            yield Trained(positions[trained.position], trained.values)

    points = splits[0].x_train.shape[0]
    size = networks_together(model, cells, points, len(ensemble.readout), device)
    for begin in range(0, len(cells), size):
        yield from halved_where_memory_is_short(train_some, range(len(cells))[begin : begin + size])


def halved_where_memory_is_short(
    train_some: Callable[[Sequence[int]], Iterator[Trained]], positions: Sequence[int], again: bool = True
) -> Iterator[Trained]:
    """`halved_where_memory_is_short` trains a stack; where the device runs out of memory, the unfinished
    networks are trained in two halves. A half that runs out of memory again raises `DoesNotFit`."""
    finished: set[int] = set()
    try:
        for trained in train_some(positions):
            finished.add(trained.position)
            yield trained
        return
    except torch.OutOfMemoryError as error:
        left = [position for position in positions if position not in finished]
        if not again or len(left) == 1:
            raise DoesNotFit(len(left)) from error
    logger.warning("out of memory with %d networks: training them in two halves", len(left))
    middle = len(left) // 2
    for half in (left[:middle], left[middle:]):
        yield from halved_where_memory_is_short(train_some, half, again=False)


def _warn_of_rounding(cells: Sequence[Mapping[str, Any]]) -> None:
    """`_warn_of_rounding` logs stop goals below what the dtype resolves: cells with such a goal are legal,
    and run to their last step."""
    dtype = cells[0]["dtype"]
    smallest = torch.finfo(getattr(torch, dtype)).eps
    for name, reachable in (("residual", smallest), ("loss", smallest**2)):
        goals = {cell["stop"][name] for cell in cells} - {None}
        if goals and min(goals) < reachable:
            logger.warning("stop.%s %g is below what %s resolves (%.0e)", name, min(goals), dtype, reachable)


def networks_together(
    model: Any, cells: Sequence[Mapping[str, Any]], points: int, copies: int, device: torch.device
) -> int:
    """`networks_together` returns how many networks to train at once; torch modules are trained one by one on
    a CPU, where PyTorch's own kernels are fastest."""
    kind = import_module(f"minima.engine.models.{cells[0]['network']['kind']}")
    if not getattr(kind, "STACKED", False):
        return 1 if device.type == "cpu" else 2**30
    form = fitting_form(model, cells, points)
    shapes = form.shapes(model, points) if form else model.weight_shapes
    return stack_size(shapes, copies, points, cells[0]["dtype"], device)


def stack_size(
    shapes: Sequence[tuple[int, int]], copies: int, points: int, dtype: str, device: torch.device
) -> int:
    """`stack_size` returns how many networks to train together: all of them on a GPU; on a CPU as many as
    stay in a core's cache with their gradients, an optimizer's moment and their activations. Larger stacks
    were up to 1.6 times as slow, smaller ones pay for PyTorch's calls, 1–3 µs each."""
    if device.type != "cpu":
        return 2**30
    weights, activations = (
        sum(sizes) for sizes in zip(*((o * i, o * points) for o, i in shapes), strict=True)
    )
    network = copies * (3 * weights + activations)
    return max(1, cache_bytes() // (network * getattr(torch, dtype).itemsize))


def _train_stack(
    ensemble: Ensemble,
    asked_for: Any,
    scheme: ModuleType,
    cells: Sequence[Mapping[str, Any]],
    splits: Sequence[Arrays],
    device: torch.device,
) -> Iterator[Trained]:
    first = cells[0]
    start = _start(ensemble, asked_for, scheme, cells, splits, device)
    points = start.x.shape[1]
    kernels = _kernels(ensemble, start, [_needs_kernel(cell) for cell in cells])
    spectra = [
        None if kernel is None else eigvalsh(torch.from_numpy(kernel[: kernel.shape[1]])).numpy()
        for kernel in kernels
    ]
    is_flow = first["optimizer"]["name"] == "flow"
    resolved = [] if is_flow else resolved_numbers(cells, spectra, points)
    predicted = _predictions(cells, ensemble, start, kernels, splits, resolved) if first["predict"] else []
    recorded = coordinates(first)
    rules = Rules(
        residual=_goals(cells, "residual", BELOW_ZERO),
        loss=_goals(cells, "loss", -1.0),
        max_steps=first["stop"]["max_steps"],
        record_steps=recorded["step"],
        record_residuals=recorded["level"],
        probes=_probes(first),
        accuracy=_goals(cells, "accuracy", 2.0) if any(cell["stop"]["accuracy"] for cell in cells) else None,
    )
    initial = [weight.clone() for weight in start.weights]

    def run(net: Ensemble, weights: Sequence[Tensor], x: Tensor) -> Iterator[Finished]:
        if is_flow:
            return _follow_flow(net, cells, weights, x, start.y, rules)
        recipe = recipe_of(cells, resolved, points, splits[0].shape)
        return train(net, weights, x, start.y, recipe, rules, start.test)

    if form := fitting_form(ensemble.model, cells, points):
        finished = _in_form(run, form.into(ensemble, start.weights, start.x))
    else:
        finished = run(ensemble, start.weights, start.x)
    for done in finished:
        values = _results(ensemble, done, start, [weight[done.index] for weight in initial])
        if is_flow:
            values |= {"flow_time": done.time, "time_path": done.times.cpu().numpy()}
        else:
            values |= {STORED_AS[name]: number for name, number in resolved[done.index].items()}
        kernel, spectrum = kernels[done.index], spectra[done.index]
        if kernel is not None:
            values |= {"kernel_max": spectrum[-1], "kernel_min": spectrum[0]}
            if first["record"]["spectrum"]:
                values |= _modes(kernel[: kernel.shape[1]], start, done.index)
        if predicted:
            values |= predicted[done.index]
        weights = [weight.unsqueeze(0) for weight in done.weights]
        if "path_norm" in rules.probes:
            values["path_norm"] = ensemble.path_norms(weights)[0].cpu().numpy()
        if (plane := first["record"]["plane"]) is not None:
            values["plane"] = _on_plane(ensemble, weights, plane)
        if first["keep_parameters"]:
            values["parameters"] = torch.cat([weight.flatten() for weight in done.weights]).cpu().numpy()
        yield Trained(done.index, values)


def _goals(cells: Sequence[Mapping[str, Any]], name: str, never: float) -> Tensor:
    """`_goals` returns a stop rule's number per network, `never` for a network without that rule."""
    goals = [cell["stop"][name] for cell in cells]
    return torch.tensor([never if goal is None else goal for goal in goals], dtype=torch.float64)


def _in_form(
    run: Callable[[Ensemble, Sequence[Tensor], Tensor], Iterator[Finished]], form: Any
) -> Iterator[Finished]:
    """`_in_form` trains networks in other coordinates and yields them with their weights in their own."""
    for done in run(form.ensemble, form.weights, form.x):
        yield replace(done, weights=form.out(done.weights, done.index))


def _probes(cell: Mapping[str, Any]) -> dict[str, ModuleType]:
    """`_probes` returns the modules of a cell's probes by name."""
    return {name: import_module(probe_module(name)) for name in cell["record"]["probes"]}


def _follow_flow(
    ensemble: Ensemble,
    cells: Sequence[Mapping[str, Any]],
    weights: Sequence[Tensor],
    x: Tensor,
    y: Tensor,
    rules: Rules,
) -> Iterator[Finished]:
    """`_follow_flow` integrates gradient flow, which has a tolerance and no learning rate."""
    flow = import_module("minima.engine.optimizers.flow")  # by name: the fingerprint of its own cells alone
    return flow.follow(ensemble, [cell["optimizer"] for cell in cells], weights, x, y, rules)


def _start(
    ensemble: Ensemble,
    asked_for: Any,
    scheme: ModuleType,
    cells: Sequence[Mapping[str, Any]],
    splits: Sequence[Arrays],
    device: torch.device,
) -> _Start:
    """`_start` draws the weights of a stack and evaluates f₀."""
    dtype = getattr(torch, cells[0]["dtype"])

    def stacked(arrays: Sequence[Array]) -> Tensor:
        return torch.as_tensor(np.stack(arrays), dtype=dtype, device=device)

    drawn = [
        draws.start(scheme, asked_for, cell["init"], cell["seed"], split.x_train)
        for cell, split in zip(cells, splits, strict=True)
    ]
    weights = [stacked(layer) for layer in zip(*drawn, strict=True)]
    x_all = torch.cat([stacked([getattr(s, x) for s in splits]) for x in ("x_train", "x_test")], dim=1)
    points = splits[0].x_train.shape[0]
    y = stacked([split.y_train for split in splits])
    test = ()
    if any(getattr(probe, "NEEDS_TEST", False) for probe in _probes(cells[0]).values()):
        test = x_all[:, points:].contiguous(), stacked([split.y_test for split in splits])
    f, _ = ensemble.forward(weights, x_all)
    offset = f if getattr(scheme, "CENTRED", False) else torch.zeros_like(f)
    return _Start(weights, x_all[:, :points].contiguous(), x_all, y + offset[:, :points], f, offset, test)


def _needs_kernel(cell: Mapping[str, Any]) -> bool:
    options = cell["optimizer"].get("lr"), cell["optimizer"].get("momentum")
    return bool(cell["predict"]) or cell["record"]["spectrum"] or any(map(kernel_units.is_relative, options))


def _kernels(ensemble: Ensemble, start: _Start, wanted: Sequence[bool]) -> list[Array | None]:
    """`_kernels` returns, per network, the tangent kernel at the start between all points and the training
    points, in float64; None for a network that does not need its kernel."""
    columns = start.x.shape[1]
    kernels: list[Array | None] = []
    for row in range(len(start.x_all)):  # one by one: memory for one network's signals, whatever the stack
        if not wanted[row]:
            kernels.append(None)
            continue
        weights = [weight[row : row + 1].double() for weight in start.weights]
        kernel = tangent_kernel(ensemble, weights, start.x_all[row : row + 1].double(), columns)
        kernels.append(kernel[0].cpu().numpy())
    return kernels


def _modes(kernel: Array, start: _Start, row: int) -> dict[str, Array]:
    """`_modes` returns the kernel's eigenvalues and the components of the start's error along its
    eigenvectors, from which `minima.theory.dynamics` predicts a training curve."""
    eigenvalues, basis = (part.numpy() for part in eigh(torch.from_numpy(kernel)))
    error = (start.f[row, : start.x.shape[1]] - start.y[row]).double().cpu().numpy()
    return {"kernel_spectrum": eigenvalues, "start_error": basis.T @ error.ravel()}


def _predictions(
    cells: Sequence[Mapping[str, Any]],
    ensemble: Ensemble,
    start: _Start,
    kernels: Sequence[Array | None],
    splits: Sequence[Arrays],
    resolved: Sequence[Mapping[str, float]],
) -> list[dict[str, Any]]:
    """`_predictions` returns the predicted minimizers of every network."""
    theory = import_module("minima.theory.linearization")  # by name: the fingerprint of cells that predict
    first, x = cells[0], start.x_all.double()
    linearization = theory.Linearization(
        ensemble,
        [weight.double() for weight in start.weights],
        x,
        start=(start.f - start.offset).double(),
        targets=torch.as_tensor(np.stack([split.y_train for split in splits])).to(x),
        kernel=torch.as_tensor(np.stack(kernels)).to(x),
        recipe=recipe_of(cells, resolved, start.x.shape[1], splits[0].shape) if resolved else None,
        residual=first["linearized_run"]["residual"],
        max_steps=first["linearized_run"]["max_steps"],
        growth=torch.tensor([cell["linearized_run"]["growth"] for cell in cells]).to(x),
    )
    return import_module("minima.training.predictions").predictions(first["predict"], linearization)


def _on_plane(ensemble: Ensemble, weights: Sequence[Tensor], plane: Mapping[str, Any]) -> Array:
    """`_on_plane` returns f on a grid over the plane of the inputs [y, x, output]."""
    axis = torch.tensor(plane_grid(plane), dtype=weights[0].dtype, device=weights[0].device)
    points = torch.cartesian_prod(axis, axis).flip(1)
    f, _ = ensemble.forward(weights, points[None])
    return f[0].unflatten(0, (len(axis), len(axis))).cpu().numpy()


def _results(ensemble: Ensemble, done: Finished, start: _Start, initial: Sequence[Tensor]) -> dict[str, Any]:
    """`_results` returns what every cell stores. The predictions of a diverged network are NaN, as it has no
    minimizer."""
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
    parameters = ensemble.parameters
    travelled = [done.weights[i] - initial[i] for i in parameters]
    return {
        "status": done.status,
        "device": start.x.device.type,
        "products": products.described() if start.x.device.type == "cpu" else "torch",
        "steps": done.steps,
        "residual": done.residual,
        "loss": done.losses.cpu().numpy(),
        **{f"{name}_path": values.cpu().numpy() for name, values in done.probes.items()},
        "residual_steps": np.where(first_steps < 0, np.nan, first_steps),
        "start_train": begin[:points].cpu().numpy(),
        "start_test": begin[points:].cpu().numpy(),
        "train": end[:points].cpu().numpy(),
        "test": end[points:].cpu().numpy(),
        "start_norm": np.array(norms([initial[i] for i in parameters])),
        "norm": np.array(norms([done.weights[i] for i in parameters])),
        "distance": np.array(norms(travelled)),
    }
