"""Instances of a `torch.optim.Optimizer`, one per network of a stack, in place of a tensor of state."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from minima.engine.stack import layers_of


def class_named(dotted: str) -> type[torch.optim.Optimizer]:
    """`class_named` returns the class of this dotted name. Raises `RuntimeError` where it cannot be had or
    cannot take a step along a gradient that it is given."""
    module, _, name = dotted.rpartition(".")
    try:
        cls = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise RuntimeError(f"optimizer.class: there is no {dotted}: {error}") from error
    if not (isinstance(cls, type) and issubclass(cls, torch.optim.Optimizer)):
        raise RuntimeError(f"optimizer.class: {dotted} is no subclass of torch.optim.Optimizer")
    closure = inspect.signature(cls.step).parameters.get("closure")
    if closure is not None and closure.default is inspect.Parameter.empty:
        raise RuntimeError(f"optimizer.class: {dotted} needs a closure, which the training loop has not")
    return cls


class Instances:
    """`Instances` are the optimizers of some networks. Indexed, copied and restored like a tensor of state,
    they stay with their networks."""

    def __init__(self, each: Sequence[torch.optim.Optimizer], shapes: Sequence[tuple[int, int]]) -> None:
        self.each, self.shapes = list(each), list(shapes)
        self.theta: Tensor | None = None  # what the parameters are views of
        self.lr: Tensor | None = None  # the step sizes that the instances have

    @classmethod
    def of(
        cls,
        kind: type[torch.optim.Optimizer],
        arguments: Mapping[str, Any],
        theta: Tensor,
        shapes: Sequence[tuple[int, int]],
    ) -> Instances:
        """`of` returns an instance for each network of `theta` [E, K, 1, P]."""
        networks = _parts(theta, shapes)
        try:
            each = [
                kind([part.detach().requires_grad_() for part in parts], **arguments) for parts in networks
            ]
        except (TypeError, ValueError) as error:
            raise RuntimeError(f"optimizer.arguments of {kind.__name__}: {error}") from error
        return cls(each, shapes)

    def step(self, theta: Tensor, gradient: Tensor, lr: Tensor) -> None:
        """`step` moves `theta` by `gradient`, both in memory that stays where it is, at step sizes `lr`."""
        if theta is not self.theta:
            self._bind(theta, gradient)
        if lr is not self.lr:  # to read it makes the processor wait for a GPU
            self.lr = lr
            for optimizer, rate in zip(self.each, lr.flatten().tolist(), strict=True):
                for group in optimizer.param_groups:
                    group["lr"] = rate
        for optimizer in self.each:
            optimizer.step()

    def __getitem__(self, rows: Tensor | int) -> Instances:
        kept = [rows] if isinstance(rows, int) else rows.tolist()
        return Instances([self.each[row] for row in kept], self.shapes)

    def clone(self) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
        """`clone` returns copies of each group's numbers and of the state of its parameters: as they are,
        where `state_dict` would be read back in another dtype."""
        return [
            (
                deepcopy({name: value for name, value in group.items() if name != "params"}),
                deepcopy([optimizer.state.get(parameter, {}) for parameter in group["params"]]),
            )
            for optimizer, group in self._groups()
        ]

    def copy_(self, copies: Sequence[tuple[dict[str, Any], list[dict[str, Any]]]]) -> None:
        for (optimizer, group), (numbers, states) in zip(self._groups(), copies, strict=True):
            group.update(numbers)
            optimizer.state.update(zip(group["params"], states, strict=True))

    def _groups(self) -> Iterator[tuple[torch.optim.Optimizer, dict[str, Any]]]:
        return ((optimizer, group) for optimizer in self.each for group in optimizer.param_groups)

    def _bind(self, theta: Tensor, gradient: Tensor) -> None:
        self.theta = theta
        parts = zip(_parts(theta, self.shapes), _parts(gradient, self.shapes), strict=True)
        for optimizer, (weights, slopes) in zip(self.each, parts, strict=True):
            parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            for parameter, weight, slope in zip(parameters, weights, slopes, strict=True):
                parameter.data, parameter.grad = weight.detach(), slope


def _parts(row: Tensor, shapes: Sequence[tuple[int, int]]) -> list[list[Tensor]]:
    """`_parts` returns, per network, the views [out, in] of a row that are its layers' copies."""
    layers = layers_of(row, shapes)
    return [[copy for layer in layers for copy in layer[network]] for network in range(len(row))]
