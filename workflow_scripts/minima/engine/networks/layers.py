"""Passes of a chain of layers over points, of one network on a CPU, with derivatives by hand.

All memory and all views are made once; a pass is then a list of calls. Images are [n, c, h, w], with the
channels along the fastest dimension of memory; only the points themselves have one channel after another.
Beside what autograd does on the same chain this saves:

- a convolution is one product with the columns of its windows, which its gradient uses again, where PyTorch
  looks for the best kernel three times;
- images are pooled before ReLU, relu(max a) = max relu(a), on a quarter of the numbers;
- activations and slopes are overwritten in place, where autograd asks for fresh memory.
"""

from collections.abc import Callable, Iterator, Sequence
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from minima.engine.products import product

aten = torch.ops.aten


class Signal(NamedTuple):
    """`Signal` is what one layer hands to the next, and where ∂L/∂value goes; None where nobody asks."""

    value: Tensor
    slope: Tensor | None


class Own(NamedTuple):
    """`Own` is a parameter of a layer and where its gradient goes, as matrices; None where it is not wanted.
    The layer takes `factor` times the parameter."""

    weight: Tensor
    gradient: Tensor | None
    factor: float = 1.0


class Room:
    """`Room` hands out memory by name and shape; passes one after the other share it."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype, self.tensors = dtype, {}

    def matrix(self, name: str, *shape: int) -> Tensor:
        """`matrix` returns zeros of this shape, or what was handed out before under this name."""
        if (name, shape) not in self.tensors:
            self.tensors[name, shape] = torch.zeros(shape, dtype=self.dtype)
        return self.tensors[name, shape]

    def images(self, name: str, n: int, c: int, h: int, w: int) -> Tensor:
        """`images` returns images [n, c, h, w] with the channels along the fastest dimension."""
        return self.matrix(name, n, h, w, c).permute(0, 3, 1, 2)


class Pass:
    """`Pass` goes forward and back through a chain, over points x [n, d]; `f` [n, outputs] is its result and
    `slope` takes ∂L/∂f.

    Gradients are written to those of the parameters, or added to them where the pass `adds`.
    """

    def __init__(
        self, layers: Sequence[nn.Module], x: Tensor, own: Iterator[Own], room: Room, adds: bool = False
    ) -> None:
        self.x = x
        self.layers: list[Layer] = []
        below = Signal(x, None)
        for place, layer in enumerate(pooled_first(layers)):
            parameters = [next(own) for _ in layer.parameters()]
            bound = KINDS[type(layer)](layer, below, parameters, room, str(place), adds)
            self.layers.append(bound)
            below = bound.above
        self.f, self.slope = below

    def forward(self) -> None:
        for layer in self.layers:
            layer.forward()

    def backward(self) -> None:
        for layer in reversed(self.layers):
            if layer.trains:
                layer.backward()


class Layer:
    """`Layer` is a layer bound to the signal below it; it makes the one above."""

    def __init__(
        self, layer: nn.Module, below: Signal, own: list[Own], room: Room, name: str, adds: bool
    ) -> None:
        self.below, self.room, self.name, self.adds = below, room, name, adds
        self.trains = any(each.gradient is not None for each in own) or below.slope is not None
        self.above = self.bind(layer, *own)

    def bind(self, layer: nn.Module, *own: Own) -> Signal:
        raise NotImplementedError

    def forward(self) -> None:
        raise NotImplementedError

    def backward(self) -> None:
        raise NotImplementedError

    def signal(self, make: Callable[..., Tensor], *shape: int) -> Signal:
        """`signal` returns new memory for the signal above."""
        slope = make(f"{self.name} slope", *shape) if self.trains else None
        return Signal(make(f"{self.name} value", *shape), slope)


class Linear(Layer):
    """`Linear` is x Wᵀ + b, or x Wᵀ."""

    def bind(self, layer: nn.Module, kernel: Own, bias: Own | None = None) -> Signal:
        x, slope = self.below
        above = self.signal(self.room.matrix, len(x), layer.out_features)
        self.kernel, self.bias, factor = kernel, bias, kernel.factor
        self.multiply = one_product(x, kernel.weight.mT, above.value, factor)
        if kernel.gradient is not None:
            self.kernel_gradient = one_product(above.slope.mT, x, kernel.gradient, factor, self.adds)
        if slope is not None:
            self.pull_back = one_product(above.slope, kernel.weight, slope, factor)
        return above

    def forward(self) -> None:
        self.multiply()
        add_bias(self.above.value, self.bias)

    def backward(self) -> None:
        if self.kernel.gradient is not None:
            self.kernel_gradient()
        put_sum(self.above.slope, self.bias, self.adds)
        if self.below.slope is not None:
            self.pull_back()


class Convolution(Layer):
    """`Convolution` is a product: a row of `columns` holds the window of one pixel.

    The slope of what is below is left to PyTorch, which needs no columns for it.
    """

    def bind(self, layer: nn.Conv2d, kernel: Own, bias: Own | None = None) -> Signal:
        n, c, h, w = self.below.value.shape
        out, size, margin = layer.out_channels, layer.kernel_size[0], layer.padding[0]
        of_points = self.below.value.is_contiguous()  # few channels: pixels along the fastest dimension
        lie = self.room.matrix if of_points else self.room.images
        padded = lie(f"{self.name} padded", n, c, h + 2 * margin, w + 2 * margin)
        self.inner = padded[:, :, margin : margin + h, margin : margin + w]
        windows = padded.unfold(2, size, 1).unfold(3, size, 1)  # [n, c, h, w, size, size]
        if of_points:
            columns = self.room.matrix(f"{self.name} columns", c * size**2, n * h * w).mT
            self.columns = columns.mT.view(c, size, size, n, h, w)
            self.windows = windows.permute(1, 4, 5, 0, 2, 3)
        else:
            columns = self.room.matrix(f"{self.name} columns", n * h * w, c * size**2)
            self.columns = columns.view(n, h, w, size, size, c)
            self.windows = windows.permute(0, 2, 3, 4, 5, 1)

        def as_kernel(matrix: Tensor) -> Tensor:
            """[out, c, size, size] as the columns lie."""
            if of_points:
                return matrix.view(out, c, size, size)
            return matrix.view(out, size, size, c).permute(0, 3, 1, 2)

        matrix = self.room.matrix(f"{self.name} kernel", out, c * size**2)
        self.kernel, self.given = as_kernel(matrix), kernel.weight.view(out, c, size, size)
        above = self.signal(self.room.images, n, out, h, w)
        self.own, self.bias = kernel, bias
        self.rows = rows_of_pixels(above.value)
        self.multiply = one_product(columns, matrix.mT, self.rows)
        if self.trains:
            self.slopes = rows_of_pixels(above.slope)
        if kernel.gradient is not None:
            found = self.room.matrix(f"{self.name} gradient", *matrix.shape)
            self.kernel_gradient = one_product(self.slopes.mT, columns, found, kernel.factor)
            self.found, self.gradient = as_kernel(found), kernel.gradient.view(out, c, size, size)
        self.geometry = ([1, 1], [margin, margin], [1, 1], False, [0, 0], 1)
        return above

    def forward(self) -> None:
        self.inner.copy_(self.below.value)
        self.columns.copy_(self.windows)
        self.kernel.copy_(self.given)
        if self.own.factor != 1:
            self.kernel.mul_(self.own.factor)
        self.multiply()
        add_bias(self.rows, self.bias)

    def backward(self) -> None:
        if self.own.gradient is not None:
            self.kernel_gradient()
            put(self.found, self.gradient, self.adds)
        put_sum(self.slopes, self.bias, self.adds)
        below = self.below
        if below.slope is not None:
            wanted = [True, False, False]
            found = aten.convolution_backward(
                self.above.slope, below.value, self.kernel, None, *self.geometry, wanted
            )
            below.slope.copy_(found[0])


class Relu(Layer):
    """`Relu` is max(x, 0), in place: nothing below needs what it was."""

    def bind(self, layer: nn.Module) -> Signal:
        return self.below

    def forward(self) -> None:
        self.above.value.clamp_min_(0)

    def backward(self) -> None:
        value, slope = self.above
        aten.threshold_backward.grad_input(slope, value, 0, grad_input=slope)


class Pool(Layer):
    """`Pool` is the largest of every square of pixels; of several the first has the slope."""

    def bind(self, layer: nn.Module) -> Signal:
        n, c, h, w = self.below.value.shape
        self.size = [layer.kernel_size] * 2
        shape = n, c, h // layer.kernel_size, w // layer.kernel_size
        self.place = torch.zeros(shape, dtype=torch.int64).contiguous(memory_format=torch.channels_last)
        return self.signal(self.room.images, *shape)

    def forward(self) -> None:
        aten.max_pool2d_with_indices.out(
            self.below.value, self.size, self.size, out=self.above.value, indices=self.place
        )

    def backward(self) -> None:
        value, slope = self.below
        geometry = (self.size, self.size, [0, 0], [1, 1], False)
        aten.max_pool2d_with_indices_backward.grad_input(
            self.above.slope, value, *geometry, self.place, grad_input=slope
        )


class Flatten(Layer):
    """`Flatten` makes a row of every image, one channel after another."""

    def bind(self, layer: nn.Module) -> Signal:
        n, *self.image = self.below.value.shape
        return self.signal(self.room.matrix, n, torch.Size(self.image).numel())

    def forward(self) -> None:
        self.above.value.unflatten(1, self.image).copy_(self.below.value)

    def backward(self) -> None:
        self.below.slope.copy_(self.above.slope.unflatten(1, self.image))


KINDS: dict[type[nn.Module], type[Layer]] = {
    nn.Linear: Linear,
    nn.Conv2d: Convolution,
    nn.ReLU: Relu,
    nn.MaxPool2d: Pool,
    nn.Flatten: Flatten,
}


def columns_of(module: nn.Module, row: Sequence[int]) -> int:
    """`columns_of` returns the numbers in the columns of a chain's largest convolution, for one point of
    shape `row`; 1 without convolutions, and 0 where the module is no chain of layers with passes by hand."""
    if not _is_chain(module) or not all(has_pass(layer) for layer in module):
        return 0
    if isinstance(module[0], nn.ReLU):  # in place, it would change the points
        return 0
    largest, pixels = 1, prod(row[1:])
    for layer in module:
        if isinstance(layer, nn.Conv2d):
            largest = max(largest, pixels * layer.weight[0].numel())
        elif isinstance(layer, nn.MaxPool2d):
            pixels //= layer.kernel_size**2
    return largest


def _is_chain(module: nn.Module) -> bool:
    """`_is_chain` returns whether a module does nothing but call one layer after another."""
    hooks = any(m._forward_hooks or m._forward_pre_hooks for m in module.modules())
    return getattr(type(module), "forward", None) is nn.Sequential.forward and not hooks


def has_pass(layer: nn.Module) -> bool:
    """`has_pass` returns whether there is a pass by hand for this layer."""
    if isinstance(layer, nn.Conv2d):  # the image keeps its size
        size = layer.kernel_size[0]
        sizes, bias = (layer.in_channels, layer.out_channels, size), layer.bias is not None
        usual = nn.Conv2d(*sizes, padding=size // 2, bias=bias, device="meta")
        return size % 2 == 1 and repr(layer) == repr(usual)
    if isinstance(layer, nn.MaxPool2d):
        return repr(layer) == repr(nn.MaxPool2d(layer.kernel_size)) and isinstance(layer.kernel_size, int)
    if isinstance(layer, nn.Flatten):
        return repr(layer) == repr(nn.Flatten())
    return type(layer) in KINDS


def pooled_first(layers: Sequence[nn.Module]) -> list[nn.Module]:
    """`pooled_first` returns the layers with pooling before the ReLU that it stood behind: the same function,
    also of the slopes, which pass where the largest number is positive."""
    found: list[nn.Module] = []
    for layer in layers:
        behind = isinstance(layer, nn.MaxPool2d) and found and isinstance(found[-1], nn.ReLU)
        found.insert(len(found) - behind, layer)
    return found


def rows_of_pixels(images: Tensor) -> Tensor:
    """`rows_of_pixels` returns images [n, c, h, w] as [n·h·w, c], as they lie in memory."""
    return images.permute(0, 2, 3, 1).flatten(0, 2)


def one_product(
    a: Tensor, b: Tensor, out: Tensor, factor: float = 1.0, add: bool = False
) -> Callable[[], object]:
    """`one_product` returns a call that writes a b, times a factor, to `out`, or adds it there."""
    return product(a.unsqueeze(0), b.unsqueeze(0), out.unsqueeze(0), factor, add=add)


def add_bias(rows: Tensor, bias: Own | None) -> None:
    """`add_bias` adds a bias, where there is one, to every row."""
    if bias is not None:
        rows.add_(bias.weight.flatten(), alpha=bias.factor)


def put_sum(slopes: Tensor, bias: Own | None, adds: bool) -> None:
    """`put_sum` writes the gradient of a bias, where it is wanted, or adds it."""
    if bias is not None and bias.gradient is not None:
        found = slopes.sum(0)
        put(found if bias.factor == 1 else found.mul_(bias.factor), bias.gradient.flatten(), adds)


def put(found: Tensor, target: Tensor, adds: bool) -> None:
    """`put` writes to the target, or adds to it."""
    (target.add_ if adds else target.copy_)(found)
