"""Networks before their first step: what a cell's fields name, drawn and evaluated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from minima.engine import draws
from minima.engine.ensemble import Ensemble
from minima.engine.passes import Loss
from minima.engine.state import State
from minima.forms import degree, drawing_scheme, laid_over, probe_module

Array = NDArray[np.float64]


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
class Network:
    """`Network` is what the cells of a group have in common: the network that they ask for, the modules of
    their initialization and of the one that draws for it, and what is trained, which may be an equivalent
    smaller network."""

    asked_for: Any
    scheme: ModuleType
    draws: ModuleType
    ensemble: Ensemble


@dataclass(frozen=True)
class Start:
    """`Start` is a stack of networks before its first step, networks along the first dimension."""

    weights: list[Tensor]  # [E, K, out, in]
    x: Tensor  # training points
    x_all: Tensor  # training points, then test points
    y: Tensor  # what f is trained towards; f₀ is added where the scheme is centred
    f: Tensor  # f₀ at x_all
    offset: Tensor  # what is taken off f to get the prediction: f₀ where centred, else 0
    test: Sequence[Tensor] = ()  # test points and their targets, where a probe asks for them

    @property
    def points(self) -> int:
        """The number of training points."""
        return self.x.shape[1]

    def state(self, ensemble: Ensemble, row: int, loss: Loss) -> State:
        """`state` returns one network alone, in float64, as probes and rates see it."""
        own = [weight[row : row + 1].double() for weight in self.weights]
        x, y, f = (part[row : row + 1].double() for part in (self.x, self.y, self.f[:, : self.points]))
        return State(ensemble, loss, own, own, x, y, f)


def network_of(cell: Mapping[str, Any], split: Arrays) -> Network:
    """`network_of` returns the network of a cell's group on data of these shapes."""
    kind = import_module(f"minima.engine.models.{cell['network']['kind']}")
    network, shape, outputs = (
        cell["network"],
        split.shape or split.x_train.shape[1:],
        split.y_train.shape[1],
    )
    model = kind.build(network, shape, outputs)
    if hasattr(model, "asked"):
        steps = degree(cell["optimizer"]["name"])
        model = model.asked(
            network, lambda: kind.build(laid_over(network, network["base"]), shape, outputs), steps
        )
    drawing = drawing_scheme(cell["network"], cell["init"])
    scheme, drawn_by = (
        import_module(f"minima.engine.inits.{name}") for name in (cell["init"]["scheme"], drawing)
    )
    stand_in = getattr(drawn_by, "stand_in", None)
    trained = stand_in(model, split.x_train.shape[0]) if stand_in else model
    return Network(model, scheme, drawn_by, Ensemble(trained, getattr(scheme, "READOUT", (1.0,))))


def probes_of(cell: Mapping[str, Any]) -> dict[str, ModuleType]:
    """`probes_of` returns the modules of a cell's probes by name."""
    return {name: import_module(probe_module(name)) for name in cell["record"]["probes"]}


def start_of(
    network: Network, cells: Sequence[Mapping[str, Any]], splits: Sequence[Arrays], device: torch.device
) -> Start:
    """`start_of` draws the weights of a stack and evaluates f₀."""
    dtype, scheme = getattr(torch, cells[0]["dtype"]), network.scheme

    def stacked(arrays: Sequence[Array]) -> Tensor:
        return torch.as_tensor(np.stack(arrays), dtype=dtype, device=device)

    drawn = [
        draws.start(
            network.draws, network.asked_for, cell["init"], cell["seed"], split.x_train, split.y_train
        )
        for cell, split in zip(cells, splits, strict=True)
    ]
    copies = len(network.ensemble.readout)
    weights = [stacked(layer) for layer in zip(*(draws.copied(one, copies) for one in drawn), strict=True)]
    x_all = torch.cat([stacked([getattr(s, x) for s in splits]) for x in ("x_train", "x_test")], dim=1)
    points = splits[0].x_train.shape[0]
    y = stacked([split.y_train for split in splits])
    test = ()
    if any(getattr(probe, "NEEDS_TEST", False) for probe in probes_of(cells[0]).values()):
        test = x_all[:, points:].contiguous(), stacked([split.y_test for split in splits])
    f, _ = network.ensemble.forward(weights, x_all)
    offset = f if getattr(scheme, "CENTRED", False) else torch.zeros_like(f)
    return Start(weights, x_all[:, :points].contiguous(), x_all, y + offset[:, :points], f, offset, test)
