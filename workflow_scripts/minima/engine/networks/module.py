"""Stacked torch modules, with the interface of the other models and gradients by autograd.

Every parameter is a tensor [B, out, in] like a weight matrix: a kernel [B, o, i·k·k], a bias [B, 1, o]. What
a module remembers beside them, the running statistics of batch normalization, goes along behind them as
tensors that are never trained or decayed: passes in training update them in place, evaluation uses them. A
tensor that stands in several places of a module counts once; buffers of integers stay in the module.

On a CPU a network is called alone, so that its numbers do not depend, to the last bit, on what is trained
beside it: a chain of layers by the passes of `minima.engine.networks.layers`, any other module by autograd.
On a GPU several networks are vmapped; on a CPU that gains little (benchmarks/modules.py).
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property, partial
from math import prod
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from minima.engine.block import Block, Memory
from minima.engine.foreign import plain_attention, seeded
from minima.engine.networks.activity import Signs
from minima.engine.networks.entries import Entry, entries_of, named, without_counts
from minima.engine.networks.layers import Own, Pass, Room, columns_of
from minima.engine.networks.parametrizations import Scales, scales_of
from minima.engine.networks.starts import BATCH_NORM, started
from minima.streams import stream

EVALUATED_AT_ONCE = 500  # points: what a pass without gradients may keep in memory
SEEN_AT_ONCE = 64  # points of such a pass by hand
PASSES_KEPT = 8  # of one net, for evaluation
LARGEST = 2**15  # numbers in the columns of a convolution for one point: above, PyTorch's own are faster
COLUMNS = 2**20  # numbers in the columns of a convolution, for all points of a block

Draw = Callable[[Entry, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Tape:
    """`Tape` holds what a forward pass in training leaves for the backward pass."""

    f: Tensor
    leaves: dict[int, Tensor]


@dataclass(frozen=True)
class ModuleNet:
    """`ModuleNet` wraps a torch module for rows of shape `row`. Of the module itself only shapes and buffers
    of integers are used: ours live on the device `meta`."""

    module: nn.Module
    row: tuple[int, ...]
    make: Callable[[], nn.Module] | None = None  # makes the module with its own initialization
    channels_last: bool = False  # whether the module takes images that lie so in memory
    scales: Scales | None = None  # of its tensors, where it is not parametrized as it is
    still: bool = False  # whether batch normalization keeps the statistics of the start

    @classmethod
    def of(cls, make: Callable[[], nn.Module], row: tuple[int, ...]) -> "ModuleNet":
        """`of` returns the net of a module that has an initialization of its own: what `make` makes."""
        with seeded(0):
            return cls(without_counts(make()), row, make)

    def asked(
        self, network: Mapping[str, Any], base: Callable[[], "ModuleNet"], degree: float | None
    ) -> "ModuleNet":
        """`asked` returns the net as a cell's `network` section asks for it beyond what its kind builds, with
        the net of base width and the degree of the optimizer's steps that `scales_of` wants."""
        for name in network.get("frozen", ()):
            for i in named(self.entries, name, "network.frozen"):
                if i in self.parameters:
                    self.module.get_parameter(self.entries[i].name).requires_grad_(False)
        scales = scales_of(network.get("parametrization", ""), self.entries, lambda: base().entries, degree)
        asked = replace(self, scales=scales, still=network.get("batch_norm") == "frozen")
        if asked.still and not any(isinstance(layer, BATCH_NORM) for layer in self.module.modules()):
            raise ValueError("network.batch_norm: frozen, and the network has no batch normalization")
        if not asked.trained:
            raise ValueError("network.frozen names every layer: nothing is left to train")
        return asked

    @cached_property
    def entries(self) -> list[Entry]:
        """The parameters, then the buffers."""
        return entries_of(self.module)

    @cached_property
    def parameters(self) -> list[int]:
        """`parameters` returns the indices of the tensors that are parameters, not buffers."""
        return list(range(sum(1 for _ in self.module.parameters())))

    @cached_property
    def trained(self) -> list[int]:
        """`trained` returns the indices of the parameters that ask for gradients."""
        return [i for i, parameter in enumerate(self.module.parameters()) if parameter.requires_grad]

    @property
    def ties_points(self) -> bool:
        """`ties_points` returns whether f at a point depends in training on the others of its batch."""
        return not self.still and any(isinstance(layer, BATCH_NORM) for layer in self.module.modules())

    @cached_property
    def weight_shapes(self) -> list[tuple[int, int]]:
        return [entry.matrix for entry in self.entries]

    def own(self, seed: int) -> list[np.ndarray] | None:
        """One array [1, out, in] per tensor of one network as the module itself starts; None where the module
        has no start of its own. PyTorch's and NumPy's global generators are left as they were."""
        if self.make is None:
            return None
        with seeded(int(stream(seed, "weights/own").integers(2**32))):
            module = self.make()
        tensors = dict(module.named_parameters()) | dict(module.named_buffers())
        return [
            tensors[entry.name].detach().cpu().numpy().astype(np.float64).reshape(1, *entry.matrix)
            for entry in self.entries
        ]

    def drawn(
        self, draw: Draw, options: Mapping[str, Any], seed: int, x: np.ndarray | None = None
    ) -> list[np.ndarray]:
        """One array [1, out, in] per tensor of one network, at the scale that its `init` section says. Each
        has a stream of its own, so that none depends on another's size; what is not drawn is as the module
        itself has it, else constant."""
        own = self.own(seed) or [np.full((1, *entry.matrix), entry.constant) for entry in self.entries]
        tensors = [
            start if entry.fan_in is None else draw(entry, stream(seed, f"weights/{i}"))[None]
            for i, (entry, start) in enumerate(zip(self.entries, own, strict=True))
        ]
        return started(self, tensors, options, x)

    @property
    def jacobians(self) -> ModuleType:
        """`jacobians` returns who has the Jacobian of modules."""
        from minima.engine.jacobians import modules

        return modules

    def alone(self, weights: Sequence[Tensor], x: Tensor) -> Tensor:
        """`alone` returns f [n, outputs] of one network with tensors [out, in] at x [n, d], in evaluation:
        what PyTorch is to differentiate."""
        self.module.eval()
        return self._one(weights, x)

    def signs(self, weights: Sequence[Tensor], x: Tensor) -> list[Tensor]:
        """Where what goes into activation functions is positive, per call: [B, n, …]."""
        each = []
        for b in range(len(x)):
            with torch.no_grad(), Signs() as signs:
                self.alone([weight[b] for weight in weights], x[b])
            each.append(signs.calls)
        if not each[0]:
            raise ValueError(f"{type(self.module).__name__} calls no activation function that is known")
        return [torch.stack(calls) for calls in zip(*each, strict=True)]

    def forward(
        self, weights: Sequence[Tensor], x: Tensor, last: Tape | None = None, training: bool = False
    ) -> tuple[Tensor, Tape | None]:
        """f [B, n, outputs] at x [B, n, d]; in training also the tape, and the buffers are updated.

        Evaluation leaves no tape: gradients are taken in training only.
        """
        if self.module.training != (training and not self.still):
            self.module.train(training and not self.still)
        # One network goes without its dimension: views and their gradients cost a tenth of its time.
        given = [weight[0] for weight in weights] if len(x) == 1 else list(weights)
        if training:
            leaves = {i: given[i].detach().requires_grad_() for i in self.trained}
            f = self._call([leaves.get(i, weight) for i, weight in enumerate(given)], x)
            return f.detach(), Tape(f, leaves)
        with torch.no_grad():
            if self._columns and x.device.type == "cpu":
                return torch.stack(
                    [self._evaluated([w[b] for w in weights], x[b]) for b in range(len(x))]
                ), None
            parts = [self._call(given, part) for part in x.split(EVALUATED_AT_ONCE, dim=1)]
            return torch.cat(parts, dim=1), None

    @property
    def bound(self) -> Callable[..., list[Block]] | None:
        """`bound` binds passes of a chain of layers to memory, by hand; None for any other module."""
        return self._bound if self._columns else None

    def prepared(self, x: Tensor) -> Tensor:
        """The points as bound passes take them: as they are."""
        return x

    def gradients(
        self, weights: Sequence[Tensor], tape: Tape, delta: Tensor, out: Sequence[Tensor | None]
    ) -> None:
        """Writes ∂L/∂W to `out`, None where not wanted, from delta = ∂L/∂f [B, n, outputs]."""
        wanted = [i for i in self.trained if out[i] is not None]
        gradients = torch.autograd.grad(  # 0 for a parameter that the module does not use
            tape.f, [tape.leaves[i] for i in wanted], delta, allow_unused=True, materialize_grads=True
        )
        for i, gradient in zip(wanted, gradients, strict=True):
            out[i].copy_(gradient.view_as(out[i]))

    def path_sums(self, weights: Sequence[Tensor], p: int) -> Tensor:
        """Σ of the outputs [B] of the net with weights |w|^p at an image of ones: for dense layers the sum
        over paths from inputs and biases to outputs. Pooling keeps the largest sum of its window; batch
        normalization counts as the affine map that it is in evaluation."""
        powers = [weight.abs() ** p for weight in weights]
        place = {entry.name: i for i, entry in enumerate(self.entries)}
        for name, layer in self.module.named_modules():
            if isinstance(layer, nn.BatchNorm2d):
                at = [place[f"{name}.{own}"] for own in ("weight", "bias", "running_mean", "running_var")]
                scale, shift, mean, variance = (weights[i] for i in at)
                slope = scale / (variance + layer.eps).sqrt()
                powers[at[0]], powers[at[1]] = slope.abs() ** p, (shift - slope * mean).abs() ** p
                powers[at[2]], powers[at[3]] = (
                    torch.zeros_like(mean),
                    torch.full_like(variance, 1 - layer.eps),
                )
        if self.scales is not None:  # |a w|^p, of which the module takes a times what it is given
            powers = [power * abs(a) ** (p - 1) for power, a in zip(powers, self.scales.forward, strict=True)]
        ones = weights[0].new_ones(len(weights[0]), 1, prod(self.row))
        return self.forward(powers, ones)[0].sum((1, 2))

    @cached_property
    def _columns(self) -> int:
        """`_columns` returns the numbers in the columns of the largest convolution, per point; 0 where the
        module is no chain of layers with passes by hand, or where the columns would not pay."""
        if len(self.parameters) < sum(1 for _ in self.module.named_parameters(remove_duplicate=False)):
            return 0  # these passes know no shared tensors
        largest = columns_of(self.module, self.row)
        return largest if largest <= LARGEST else 0

    @cached_property
    def _passes(self) -> dict[tuple[int, ...], Pass]:
        """Passes for evaluation, by the number of points and where the weights are."""
        return {}

    def _bound(self, memory: Memory) -> list[Block]:
        """Passes over the points x [B, n, d], a network after the other; f and ∂L/∂f are [B, outputs, n]."""
        x, weights, gradients = memory.x, memory.weights, memory.gradients
        points = x.shape[1]
        size = min(points, max(1, COLUMNS // self._columns))
        rooms = [Room(x.dtype) for _ in x]
        found = []
        for begin in range(0, points, size):
            block = Block(slice(begin, min(begin + size, points)))
            for b, room in enumerate(rooms):
                own = (
                    Own(weights[i][b], None if gradients[i] is None else gradients[i][b], self.factor(i))
                    for i in self.parameters
                )
                one = Pass(self.module, self._images(x[b, block.points]), own, room, adds=begin > 0)
                block.forward += [one.forward, partial(memory.f[b, :, block.points].copy_, one.f.mT)]
                block.backward += [
                    partial(one.slope.copy_, memory.delta[b, :, block.points].mT),
                    one.backward,
                ]
            found.append(block)
        return found

    def _evaluated(self, weights: Sequence[Tensor], x: Tensor) -> Tensor:
        """f [n, outputs] of one network at points x [n, d], by bound passes that are kept for later."""
        parts = []
        for part in x.split(max(1, min(SEEN_AT_ONCE, COLUMNS // self._columns))):
            key = (len(part), *(weight.data_ptr() for weight in weights))  # kept passes keep the memory, too
            if key not in self._passes:
                if len(self._passes) == PASSES_KEPT:
                    self._passes.clear()
                own = (Own(weights[i], None, self.factor(i)) for i in self.parameters)
                self._passes[key] = Pass(
                    self.module, self._images(torch.empty_like(part)), own, Room(x.dtype)
                )
            one = self._passes[key]
            one.x.copy_(self._images(part))
            one.forward()
            parts.append(one.f.clone())
        return torch.cat(parts)

    def _images(self, x: Tensor) -> Tensor:
        return x.view(-1, *self.row)

    def _call(self, weights: list[Tensor], x: Tensor) -> Tensor:
        """f [B, n, outputs]: of one network with weights [out, in], or of a stack [B, out, in]."""
        if len(x) == 1:
            # Not for float64, which has no fast convolutions, nor under vmap, which has them by groups.
            fast = self.channels_last and x.dtype == torch.float32 and x.device.type == "cpu"
            return self._one(weights, x[0], fast).unsqueeze(0)
        return vmap(self._one, randomness="error")(weights, x)

    def factor(self, tensor: int) -> float:
        """`factor` returns a of what the module takes, a·w."""
        return 1.0 if self.scales is None else self.scales.forward[tensor]

    def scaled(self, weights: Sequence[Tensor]) -> Sequence[Tensor]:
        """`scaled` returns what the module takes in place of its tensors: a·w."""
        if self.scales is None:
            return weights
        return [w if a == 1 else a * w for a, w in zip(self.scales.forward, weights, strict=True)]

    def _one(self, weights: Sequence[Tensor], x: Tensor, channels_last: bool = False) -> Tensor:
        """`_one` returns f of one network: weights [out, in], x [n, d]."""
        tensors = {
            e.name: w.reshape(e.shape) for e, w in zip(self.entries, self.scaled(weights), strict=True)
        }
        x = x.reshape(-1, *self.row)
        if channels_last:  # measured: a fifth faster, the copies of the kernels included
            x = _channels_last(x)
            tensors = {
                name: w.contiguous(memory_format=torch.channels_last) if w.ndim == 4 else w
                for name, w in tensors.items()
            }
        tensors |= {alias: tensors[entry.name] for entry in self.entries for alias in entry.aliases}
        tensors |= {name: buffer.to(x.device) for name, buffer in self._still}
        with nullcontext() if self.make is None else plain_attention():
            # Ties are in `aliases`: to look for them costs 0.2 ms.
            return functional_call(self.module, tensors, (x,), tie_weights=False)

    @cached_property
    def _still(self) -> list[tuple[str, Tensor]]:
        """`_still` returns the buffers that are no floating point numbers."""
        return [(name, b) for name, b in self.module.named_buffers() if not b.is_floating_point()]


def net_of(module: nn.Module, row: tuple[int, ...]) -> tuple[ModuleNet, list[Tensor]]:
    """`net_of` returns a torch module as a `ModuleNet` for rows of a shape, and its tensors
    [1, 1, out, in] as they are now. The module itself is left alone."""
    start = deepcopy(module)
    net = ModuleNet(without_counts(deepcopy(module)), tuple(row), make=lambda: deepcopy(start))
    now = dict(module.named_parameters()) | dict(module.named_buffers())
    return net, [now[entry.name].detach().reshape(1, 1, *entry.matrix) for entry in net.entries]


def _channels_last(x: Tensor) -> Tensor:
    """Images [n, c, h, w] with c along the fastest dimension. Of one channel that is both layouts, and only
    its strides tell PyTorch which one is meant, for all that follows."""
    _, channels, height, width = x.shape
    if channels > 1:
        return x.contiguous(memory_format=torch.channels_last)
    return x.contiguous().as_strided(x.shape, (height * width, 1, width, 1))
