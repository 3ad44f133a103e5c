"""How a stack of cells is trained: their optimizer sections as the engine takes them."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from minima.engine.batches import Batches
from minima.engine.core import Recipe
from minima.engine.ensemble import Ensemble
from minima.engine.passes import Loss
from minima.engine.record import Rules
from minima.forms import form_of, forms_of
from minima.training import kernel_units
from minima.training.kernels import Kernel
from minima.training.recording import coordinates
from minima.training.start import Start, probes_of

Array = NDArray[np.float64]
BELOW_ZERO = -1e-30  # a residual that is never reached, not even where the loss is rounded to 0
# Numbers of an optimizer that may be given in the kernel's units, and under which name a cell stores them.
STORED_AS = {"lr": "learning_rate", "momentum": "momentum_used"}


def resolved_numbers(
    cells: Sequence[Mapping[str, Any]], ensemble: Ensemble, start: Start, kernels: Sequence[Kernel | None]
) -> list[dict[str, float]]:
    """`resolved_numbers` returns what the start of each network makes of its optimizer's options: its
    absolute learning rate, its absolute momentum where it has one, and what else the optimizer asks for; []
    for an optimizer that takes no steps. `kernels` are of those networks that need theirs."""
    found: list[dict[str, float]] = []
    if "lr" not in cells[0]["optimizer"]:
        return found
    for row, (cell, kernel) in enumerate(zip(cells, kernels, strict=True)):
        options, spectrum = cell["optimizer"], kernel and kernel.spectrum
        rate = _rate(options["lr"], cell, ensemble, start, row, spectrum)
        found.append({"lr": rate})
        if "momentum" in options:
            found[-1]["momentum"] = kernel_units.momentum(options["momentum"], rate, spectrum, start.points)
        optimizer = import_module(f"minima.engine.optimizers.{options['name']}")
        if module := getattr(optimizer, "FROM_START", ""):
            one = start.state(ensemble, row, _loss(cell))
            found[-1] |= import_module(module).numbers(options, one)
    return found


def _rate(
    option: Any, cell: Mapping[str, Any], ensemble: Ensemble, start: Start, row: int, spectrum: Array | None
) -> float:
    """`_rate` returns one network's learning rate."""
    if not kernel_units.is_named(option):
        return kernel_units.learning_rate(option, spectrum, start.points)
    named = import_module(f"minima.theory.rates.{option['rate']}")
    return option["times"] * named.rate(option, start.state(ensemble, row, _loss(cell)), spectrum)


def _loss(cell: Mapping[str, Any]) -> Loss:
    return import_module(f"minima.engine.losses.{cell['loss']}").loss


def rules_of(cells: Sequence[Mapping[str, Any]]) -> Rules:
    """`rules_of` returns when the networks of a stack stop, and what is recorded of them."""
    first, recorded = cells[0], coordinates(cells[0])

    def goals(name: str, never: float) -> Tensor:
        found = [cell["stop"][name] for cell in cells]
        return torch.tensor([never if goal is None else goal for goal in found], dtype=torch.float64)

    return Rules(
        residual=goals("residual", BELOW_ZERO),
        loss=goals("loss", -1.0),
        max_steps=first["stop"]["max_steps"],
        record_steps=recorded["step"],
        record_residuals=recorded["level"],
        probes=probes_of(first),
        accuracy=goals("accuracy", 2.0) if any(cell["stop"]["accuracy"] for cell in cells) else None,
    )


def recipe_of(
    cells: Sequence[Mapping[str, Any]],
    resolved: Sequence[Mapping[str, float]],
    points: int,
    shape: tuple[int, ...],
) -> Recipe:
    """`recipe_of` returns the engine's recipe for the cells of a stack, which differ in numbers only."""
    first = cells[0]["optimizer"]
    fields = [_numbers(cell["optimizer"]) | own for cell, own in zip(cells, resolved, strict=True)]
    numbers = {name: [field[name] for field in fields] for name in fields[0]}
    decays = any(numbers["weight_decay.strength"])
    seeds = [cell["seed"] for cell in cells]
    schedule = import_module(f"minima.engine.schedules.{first['schedule']['kind']}")
    batches = augment = None
    if first["batch_size"] is not None:
        batches = Batches(seeds, points, first["batch_size"], first["replacement"])
    if any((changes := cells[0]["augment"]).values()):
        own = import_module("minima.engine.augment")  # by name: the fingerprint of cells that augment
        augment = own.Augment(seeds, shape, changes["shift"], changes["flip"])
    return Recipe(
        optimizer=import_module(f"minima.engine.optimizers.{first['name']}"),
        numbers={name: torch.tensor(values, dtype=torch.float64) for name, values in numbers.items()},
        loss=_loss(cells[0]),
        schedule=schedule.schedule(first["schedule"], cells[0]["stop"]["max_steps"]),
        batches=batches,
        augment=augment,
        decay_toward=first["weight_decay"]["toward"] if decays else None,
        options=first,
    )


def _numbers(options: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """`_numbers` returns an optimizer's numbers by dotted path, without those that `resolved_numbers`
    gives."""
    found = {}
    for name, value in options.items():
        if name in STORED_AS:
            continue
        if isinstance(value, Mapping):
            found |= _numbers(value, f"{prefix}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[f"{prefix}{name}"] = float(value)
    return found


def fitting_form(model: Any, cells: Sequence[Mapping[str, Any]], points: int) -> Any:
    """`fitting_form` returns the module of the cheapest other coordinates in which the whole stack can be
    trained exactly, or None."""
    if not forms_of(cells[0]["network"]):
        return None
    forms = {form_of(cell, model.sizes, points) for cell in cells}
    return import_module(next(iter(forms))) if len(forms) == 1 and None not in forms else None
