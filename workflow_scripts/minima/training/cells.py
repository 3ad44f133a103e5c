"""From cells to trained cells: the way of a cell, step by step.

All cells of a call belong to one group (same data recipe, architecture, optimizer …). This module opens no
file and keeps no state; `minima.jobs.train_pack` wraps it in a job.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from minima.engine.core import Finished, Rules, train
from minima.engine.ensemble import Ensemble
from minima.training import kernels
from minima.training.memory import halved_where_memory_is_short, networks_together
from minima.training.methods import fitting_form, recipe_of, resolved_numbers, rules_of
from minima.training.results import Trained, results_of
from minima.training.start import Arrays, Network, Start, network_of, start_of

logger = logging.getLogger("minima")


def train_cells(
    cells: Sequence[Mapping[str, Any]], splits: Sequence[Arrays], device: torch.device
) -> Iterator[Trained]:
    """`train_cells` trains `cells[i]` on `splits[i]` and yields each cell as it finishes."""
    network = network_of(cells[0], splits[0])
    _warn_of_rounding(cells)

    def train_some(positions: Sequence[int]) -> Iterator[Trained]:
        some = [cells[i] for i in positions], [splits[i] for i in positions]
        for trained in _train_stack(network, *some, device):
            yield Trained(positions[trained.position], trained.values)

    ensemble, points = network.ensemble, splits[0].x_train.shape[0]
    size = networks_together(ensemble.model, cells, points, len(ensemble.readout), device)
    for begin in range(0, len(cells), size):
        yield from halved_where_memory_is_short(train_some, range(len(cells))[begin : begin + size])


def _train_stack(
    network: Network, cells: Sequence[Mapping[str, Any]], splits: Sequence[Arrays], device: torch.device
) -> Iterator[Trained]:
    """`_train_stack` trains the networks of a stack together."""
    first, ensemble = cells[0], network.ensemble
    start = start_of(network, cells, splits, device)
    at_start = kernels.kernels_of(cells, ensemble, start)
    numbers = resolved_numbers(cells, ensemble, start, at_start)
    recipe = recipe_of(cells, numbers, start.points, splits[0].shape) if numbers else None
    predicted: list[dict[str, Any]] = [{}] * len(cells)
    if first["predict"]:
        theory = import_module(
            "minima.training.predictions"
        )  # by name: the fingerprint of cells that predict
        linearization = theory.linearization_of(cells, ensemble, start, at_start, splits, recipe)
        predicted = theory.predictions_of(linearization, first["predict"])
    for done in _in_form(ensemble, cells, start, recipe, rules_of(cells)):
        row = done.index
        values = results_of(cells[row], ensemble, start, done, numbers[row] if numbers else None)
        values |= kernels.stored(at_start[row], start, row, first["record"]["spectrum"])
        yield Trained(row, values | predicted[row])


def _in_form(
    ensemble: Ensemble,
    cells: Sequence[Mapping[str, Any]],
    start: Start,
    recipe: Any,
    rules: Rules,
) -> Iterator[Finished]:
    """`_in_form` trains networks in the cheapest coordinates in which that can be done exactly, and yields
    them with their weights in their own."""
    weights = [weight.clone() for weight in start.weights]
    form = fitting_form(ensemble.model, cells, start.points)
    if form is None:
        yield from _run(ensemble, cells, weights, start.x, start, recipe, rules)
        return
    other = form.into(ensemble, weights, start.x)
    for done in _run(other.ensemble, cells, other.weights, other.x, start, recipe, rules):
        yield replace(done, weights=other.out(done.weights, done.index))


def _run(
    ensemble: Ensemble,
    cells: Sequence[Mapping[str, Any]],
    weights: Sequence[Tensor],
    x: Tensor,
    start: Start,
    recipe: Any,
    rules: Rules,
) -> Iterator[Finished]:
    """`_run` takes the steps of the cells' optimizer; an optimizer without steps follows its own way."""
    if recipe is None:
        optimizer = import_module(f"minima.engine.optimizers.{cells[0]['optimizer']['name']}")
        return optimizer.follow(ensemble, [cell["optimizer"] for cell in cells], weights, x, start.y, rules)
    return train(ensemble, weights, x, start.y, recipe, rules, start.test)


def _warn_of_rounding(cells: Sequence[Mapping[str, Any]]) -> None:
    """`_warn_of_rounding` logs stop goals below what the dtype resolves: cells with such a goal are legal,
    and run to their last step."""
    dtype = cells[0]["dtype"]
    smallest = torch.finfo(getattr(torch, dtype)).eps
    for name, reachable in (("residual", smallest), ("loss", smallest**2)):
        goals = {cell["stop"][name] for cell in cells} - {None}
        if goals and min(goals) < reachable:
            logger.warning("stop.%s %g is below what %s resolves (%.0e)", name, min(goals), dtype, reachable)
