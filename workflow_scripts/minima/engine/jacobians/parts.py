"""The Jacobian of a torch module in each of its tensors, at points that do not see each other.

Of a linear or convolutional layer a = W h the Jacobian in W is Σ_p (∂f/∂a_p) h_pᵀ, summed over positions p
(pixels, tokens, uses of the layer). Both factors come from a pass that looks in at the layers: inputs on the
way, gradients of the layers' outputs on the way back, for all points at once. Normalizations give theirs
likewise. All other parameters go point by point through `torch.func`. What is found is held to one backward
pass: a tensor that differs there, as a weight does that is used in another place too, goes point by point.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import jacrev, vmap
from torch.nn import functional

from minima.engine.jacobians import pairs
from minima.engine.products import matmul

ROWS_AT_ONCE = 256  # of what goes point by point
BLOCKS = 8  # of rows, of which a symmetric product computes one half
SLICE = 2**25  # numbers in a block of a part's columns
CLOSE = 0.5  # power of the rounding up to which a part and the backward pass agree


@dataclass(frozen=True)
class LayerPart:
    """`LayerPart` is the part of J in the weight matrix [out, in] of a layer, as its two factors."""

    hidden: Tensor  # [n, positions, in]
    signals: Tensor  # ∂f/∂a [n, o, positions, out]

    @property
    def numbers(self) -> int:
        """`numbers` returns how many numbers the part keeps."""
        return self.hidden.numel() + self.signals.numel()

    @property
    def columns(self) -> int:
        """`columns` returns the size of the tensor."""
        return self.signals.shape[3] * self.hidden.shape[2]

    @property
    def rows(self) -> int:
        """`rows` returns n·o."""
        return self.signals.shape[0] * self.signals.shape[1]

    def block(self, begin: int, end: int) -> Tensor:
        """`block` returns the rows of J in whole units: [n·o, columns], of columns that hold these."""
        own = self.signals[..., begin:end].mT  # [n, o, units, positions]
        return torch.bmm(own.flatten(1, 2), self.hidden).reshape(self.rows, -1)

    @property
    def units(self) -> int:
        """`units` returns into how many blocks of columns the part can be cut."""
        return self.signals.shape[3]

    def pulled(self, c: Tensor) -> Tensor:
        """`pulled` returns the part of Jᵀc, flat, for c [n, o]."""
        signals = torch.einsum("no,nopu->npu", c, self.signals)
        return torch.einsum("npu,npi->ui", signals, self.hidden).flatten()

    def joined(self, shares: Sequence[float], parts: Sequence["LayerPart"]) -> "LayerPart":
        """`joined` returns Σ_q w_q of such parts: their positions, side by side."""
        signals = [share * part.signals for share, part in zip(shares, parts, strict=True)]
        return LayerPart(torch.cat([part.hidden for part in parts], 1), torch.cat(signals, 2))


@dataclass(frozen=True)
class RowsPart:
    """`RowsPart` is the part of J in a tensor, row by row."""

    values: Tensor  # [n, o, columns]

    @property
    def numbers(self) -> int:
        return self.values.numel()

    @property
    def columns(self) -> int:
        return self.values.shape[2]

    units = columns

    @property
    def rows(self) -> int:
        return self.values.shape[0] * self.values.shape[1]

    def block(self, begin: int, end: int) -> Tensor:
        return self.values[..., begin:end].flatten(0, 1)

    def pulled(self, c: Tensor) -> Tensor:
        return torch.einsum("no,nop->p", c, self.values)

    def joined(self, shares: Sequence[float], parts: Sequence["RowsPart"]) -> "RowsPart":
        return RowsPart(sum(share * part.values for share, part in zip(shares, parts, strict=True)))


Part = LayerPart | RowsPart


def product_of(left: Part, right: Part, weights: Tensor | None = None) -> Tensor:
    """`product_of` returns JDJ'ᵀ [n·o, n'·o] of two parts in the same tensor; D = diag(weights)."""
    outer = isinstance(left, LayerPart) and left.hidden.shape[1] == right.hidden.shape[1] == 1
    if weights is None and outer:  # rows are g hᵀ
        inner = matmul(left.hidden[:, 0], right.hidden[:, 0].mT)[:, None, :, None]
        signals = matmul(left.signals.flatten(0, 2), right.signals.flatten(0, 2).mT)
        shape = (len(left.hidden), left.signals.shape[1], len(right.hidden), right.signals.shape[1])
        return signals.view(shape).mul_(inner).flatten(2).flatten(0, 1)
    if weights is not None and right is left and isinstance(left, LayerPart) and pairs.pay(left.signals):
        return pairs.of_outputs(left.hidden, left.signals, weights.view(left.units, -1))
    total = left.block(0, 0).new_zeros(left.rows, right.rows)
    for begin, end, columns in _cuts(left, max(left.rows, right.rows)):
        rows = left.block(begin, end)
        own = None if weights is None else weights[columns]
        if right is left:
            total += symmetric_product(rows, own)
        else:
            total += matmul(rows if own is None else rows * own, right.block(begin, end).mT)
    return total


def rows_of(parts: Sequence[Part]) -> Tensor:
    """`rows_of` returns the rows of J [n·o, p] in all of these parts."""
    return torch.cat([part.block(0, part.units) for part in parts], dim=1)


def symmetric_product(rows: Tensor, weights: Tensor | None = None) -> Tensor:
    """`symmetric_product` returns RDRᵀ of rows R, half of which it computes, in blocks of rows."""
    size = len(rows)
    found = rows.new_empty(size, size)
    step = max(1, -(-size // BLOCKS))
    for begin in range(0, size, step):
        own = rows[begin : begin + step]
        product = matmul(own if weights is None else own * weights, rows[begin:].mT)
        found[begin : begin + step, begin:] = product
        found[begin:, begin : begin + step] = product.mT
    return found


def _cuts(part: Part, rows: int) -> Iterator[tuple[int, int, slice]]:
    """`_cuts` yields units from, to, and the columns that these are, so many that their rows fit a slice."""
    width = part.columns // part.units
    step = max(1, SLICE // (rows * width))
    for begin in range(0, part.units, step):
        end = min(begin + step, part.units)
        yield begin, end, slice(begin * width, end * width)


def parts_of(net: Any, weights: Sequence[Tensor], x: Tensor, wanted: Sequence[int]) -> dict[int, Part]:
    """`parts_of` returns the parts of J in the wanted tensors of one `ModuleNet` with weights [out, in], at
    points x [n, d]. Raises `RuntimeError` where a point's output depends on the other points."""
    leaves = [weight.detach().requires_grad_() if i in wanted else weight for i, weight in enumerate(weights)]
    seen = _Seen(net, weights, set(wanted))
    with torch.enable_grad(), seen:
        f = net.alone(leaves, x)
    found = seen.parts(f)
    direction = torch.randn(f.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(f)
    own = [leaves[i] for i in wanted]
    backward = torch.autograd.grad(f, own, direction, materialize_grads=True)
    expected = {i: gradient.flatten() for i, gradient in zip(wanted, backward, strict=True)}

    def agrees(i: int) -> bool:
        wrong = (found[i].pulled(direction) - expected[i]).norm()
        return bool(wrong <= torch.finfo(f.dtype).eps ** CLOSE * _largest(expected))

    rest = [i for i in wanted if i not in found or not agrees(i)]
    found |= _point_by_point(net, weights, x, rest) if rest else {}
    if not all(map(agrees, rest)):
        raise RuntimeError("the network's output at a point depends on the other points")
    return found


def _largest(gradients: dict[int, Tensor]) -> float:
    return max(float(gradient.norm()) for gradient in gradients.values())


def _point_by_point(
    net: Any, weights: Sequence[Tensor], x: Tensor, tensors: Sequence[int]
) -> dict[int, RowsPart]:
    """`_point_by_point` returns the parts in these tensors by as many backward passes as J has rows."""

    def f(own: tuple[Tensor, ...], point: Tensor) -> Tensor:
        given = dict(enumerate(weights)) | dict(zip(tensors, own, strict=True))
        return net.alone([given[i] for i in range(len(weights))], point.unsqueeze(0))[0]

    own = tuple(weights[i].detach() for i in tensors)
    with torch.no_grad():
        outputs = len(f(own, x[0]))
    try:
        found = vmap(jacrev(f), (None, 0), chunk_size=max(1, ROWS_AT_ONCE // outputs))(own, x)
    except RuntimeError:  # recurrent layers, among others, cannot be vmapped
        found = _row_by_row(lambda own: torch.stack([f(own, point) for point in x]), own)
    return {i: RowsPart(rows.flatten(2)) for i, rows in zip(tensors, found, strict=True)}


def _row_by_row(f: Callable[[tuple[Tensor, ...]], Tensor], own: tuple[Tensor, ...]) -> list[Tensor]:
    """`_row_by_row` returns ∂f/∂own [n, outputs, …] of f [n, outputs] by a backward pass for each row."""
    leaves = [tensor.requires_grad_() for tensor in own]
    with torch.enable_grad():
        value = f(tuple(leaves))
    rows = [
        torch.autograd.grad(one, leaves, retain_graph=True, materialize_grads=True) for one in value.flatten()
    ]
    return [torch.stack(each).unflatten(0, value.shape) for each in zip(*rows, strict=True)]


@dataclass
class _Seen:
    """`_Seen` notes what goes into the layers of a net and what comes out, while it is entered."""

    net: Any
    weights: Sequence[Tensor]
    wanted: set[int]
    uses: dict[str, list[tuple[Tensor, Tensor]]] = field(default_factory=dict)  # inputs, and what came out
    _hooks: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        self.place = {entry.name: i for i, entry in enumerate(self.net.entries)}
        self.layers = {
            name: layer
            for name, layer in self.net.module.named_modules()
            if _factors_of(layer) and self.wanted & {self.place.get(own) for own in self._own(name)}
        }

    def __enter__(self) -> None:
        for name, layer in self.layers.items():
            self._hooks.callback(layer.register_forward_hook(self._hook(name)).remove)

    def __exit__(self, *error: object) -> None:
        self._hooks.close()

    def parts(self, f: Tensor) -> dict[int, Part]:
        """`parts` returns the parts in the weights and biases of the layers that were used."""
        targets = [out for uses in self.uses.values() for _, out in uses if out.requires_grad]
        if not targets:
            return {}
        columns = [
            torch.autograd.grad(f[:, a].sum(), targets, retain_graph=True, materialize_grads=True)
            for a in range(f.shape[1])
        ]
        slopes = iter(zip(*columns, strict=True))  # per use, per output
        found: dict[int, Part] = {}
        for name, uses in self.uses.items():
            each = [
                self._of_use(name, value, list(next(slopes)), len(f))
                for value, out in uses
                if out.requires_grad
            ]
            if not each or None in each:
                continue
            for own, parts in zip(("weight", "bias"), zip(*each, strict=True), strict=True):
                i = self.place.get(_joined(name, own))
                if i in self.wanted:
                    a = self.net.factor(i)
                    plain = a == 1 and len(parts) == 1
                    found[i] = parts[0] if plain else parts[0].joined([a] * len(parts), parts)
        return found

    def _of_use(
        self, name: str, value: Tensor, slopes: list[Tensor], points: int
    ) -> tuple[Part, Part] | None:
        """The parts of weight and bias in one use of a layer; None where the use is of another form."""
        layer = self.layers[name]
        if value.ndim < 2 or len(value) % points:  # not a row, or some rows, per point
            return None
        buffers = {
            own: self.weights[self.place[_joined(name, own)]].flatten()
            for own in ("running_mean", "running_var")
            if _joined(name, own) in self.place
        }
        return _factors_of(layer)(layer, value, slopes, points, buffers)

    def _hook(self, name: str) -> Callable:
        def note(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            # copies: what follows may write over both
            self.uses.setdefault(name, []).append((inputs[0].detach().clone(), output))
            return output.clone()

        return note

    def _own(self, name: str) -> set[str]:
        return {_joined(name, "weight"), _joined(name, "bias")}


def _joined(name: str, own: str) -> str:
    return f"{name}.{own}" if name else own


def _factors_of(layer: nn.Module) -> Callable[..., tuple[Part, Part]] | None:
    """`_factors_of` returns what makes parts of a layer's inputs and slopes; None for unknown layers."""
    own = type(layer).forward
    if own is nn.Linear.forward:
        return _linear
    if own is nn.Conv2d.forward:
        plain = layer.groups == 1 and layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
        return _convolution if plain else None
    if own is nn.GroupNorm.forward:
        return _group_norm
    if own is nn.LayerNorm.forward:
        return _layer_norm
    if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d) and layer.track_running_stats:
        return _batch_norm
    return None


def _linear(layer: nn.Linear, x: Tensor, slopes: list[Tensor], points: int, _: Any) -> tuple[Part, Part]:
    hidden = x.reshape(points, -1, layer.in_features)
    signals = torch.stack([slope.reshape(points, -1, layer.out_features) for slope in slopes], dim=1)
    return LayerPart(hidden, signals), RowsPart(signals.sum(2))


def _convolution(layer: nn.Conv2d, x: Tensor, slopes: list[Tensor], points: int, _: Any) -> tuple[Part, Part]:
    form = {"dilation": layer.dilation, "padding": layer.padding, "stride": layer.stride}
    hidden = functional.unfold(x, layer.kernel_size, **form).mT  # [n, positions, in·k·k]
    signals = torch.stack([slope.flatten(2).mT for slope in slopes], dim=1)
    return LayerPart(hidden, signals), RowsPart(signals.sum(2))


def _batch_norm(
    layer: nn.BatchNorm2d, x: Tensor, slopes: list[Tensor], points: int, buffers: dict[str, Tensor]
) -> tuple[Part, Part]:
    normal = functional.batch_norm(x, buffers["running_mean"], buffers["running_var"], eps=layer.eps)
    return _by_channel(normal, slopes)


def _group_norm(
    layer: nn.GroupNorm, x: Tensor, slopes: list[Tensor], points: int, _: Any
) -> tuple[Part, Part]:
    return _by_channel(functional.group_norm(x, layer.num_groups, eps=layer.eps), slopes)


def _by_channel(normal: Tensor, slopes: list[Tensor]) -> tuple[Part, Part]:
    """Of normalizations with channels behind the points: [n, channels, …]."""
    normal = normal.unsqueeze(1).flatten(3) if normal.ndim > 2 else normal[:, None, :, None]
    signals = torch.stack(slopes, dim=1).reshape(len(normal), len(slopes), *normal.shape[2:])
    return RowsPart((signals * normal).sum(3)), RowsPart(signals.sum(3))


def _layer_norm(
    layer: nn.LayerNorm, x: Tensor, slopes: list[Tensor], points: int, _: Any
) -> tuple[Part, Part]:
    own = layer.normalized_shape
    size = torch.Size(own).numel()
    normal = functional.layer_norm(x, own, eps=layer.eps).reshape(points, 1, -1, size)
    signals = torch.stack([slope.reshape(points, -1, size) for slope in slopes], dim=1)
    return RowsPart((signals * normal).sum(2)), RowsPart(signals.sum(2))
