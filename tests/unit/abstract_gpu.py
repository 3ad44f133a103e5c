"""A GPU that is not there: tensors that say that they are on `cuda`, with its rules and values of their own.

Every tensor is a pair. One half is PyTorch's fake tensor on `cuda:0`: it has no numbers, and refuses what a
GPU refuses, such as operands on two devices. The other half has the numbers, on the CPU, so that what looks
at them (a stop rule, an eigenvalue) goes on as it would. What makes the processor wait for a GPU is counted:
reads of a number, shapes that depend on numbers, and copies to and fro, but from pinned memory.

    with AbstractGPU() as gpu:
        x = torch.zeros(3, device=gpu.device)
        ...
        gpu.waits, gpu.peak_bytes
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor
from torch._C._functorch import is_batchedtensor
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
)
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map_only, tree_unflatten

CUDA = torch.device("cuda", 0)
CPU = torch.device("cpu")
READS = {  # of numbers, beside what fake tensors refuse for want of them
    torch.ops.aten._linalg_check_errors.default,  # whether a decomposition went well
    torch.ops.aten.nonzero.default,
}
NO_DRIVER = "not linked with support for cuda"  # of a fake operation that asks for one
RULES = FakeTensorMode(allow_non_fake_inputs=True)  # one for all: a constant may outlive a mode
_inside: list["AbstractGPU"] = []


class AbstractTensor(torch.Tensor):
    """`AbstractTensor` is a tensor on the GPU that is not there."""

    numbers: Tensor
    fake: Tensor

    @staticmethod
    def __new__(cls, numbers: Tensor, fake: Tensor) -> "AbstractTensor":
        # To C++ the tensor is one on the CPU: slices and gradients ask for the driver of any other device.
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            numbers.shape,
            strides=numbers.stride(),
            storage_offset=numbers.storage_offset(),
            dtype=numbers.dtype,
            device=CPU,
        )
        made.numbers, made.fake = numbers, fake
        return made

    @property
    def device(self) -> torch.device:
        return CUDA

    @property
    def is_cuda(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"AbstractTensor({self.numbers})"

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        with torch._C.DisableTorchFunction():
            return _inside[-1].compute(func, args, kwargs or {})


class AbstractGPU(TorchFunctionMode):
    """`AbstractGPU` has calls that name the device `cuda` answered by abstract tensors, while it lasts."""

    device = CUDA

    def __init__(self) -> None:
        super().__init__()
        self.rules = RULES
        self.waits: list[str] = []
        self.peak_bytes = self.held_bytes = 0
        self.storages: dict[int, tuple[StorageWeakRef, int]] = {}

    def __enter__(self) -> Self:
        _inside.append(self)
        return super().__enter__()

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        _inside.pop()

    def put(self, numbers: Tensor) -> AbstractTensor:
        """`put` returns these numbers on the GPU."""
        with torch._C.DisableTorchFunction(), self.rules:
            fake = torch.empty_strided(numbers.shape, numbers.stride(), dtype=numbers.dtype, device=CUDA)
        return self._made(numbers, fake)

    def compute(self, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """`compute` returns what an operation gives, by the rules of a GPU and in numbers."""
        named = dict(kwargs)
        if "device" in named:
            named["device"] = CPU
        numbers = func(*_numbers(args), **_numbers(named))
        if "device" in named:
            named["device"] = CUDA
        fakes = None
        if func in READS or _is_masked(args):
            self.waits.append(str(func))
        else:
            try:
                with self.rules:
                    fakes = func(*_fakes(args), **_fakes(named))
            except (DataDependentOutputException, DynamicOutputShapeException):
                self.waits.append(str(func))
            except RuntimeError as error:
                if NO_DRIVER not in str(error):
                    raise
                _refuse_two_devices(func, (args, kwargs))
        if not isinstance(numbers, Tensor | tuple | list):
            return numbers
        flat, spec = tree_flatten(numbers)
        shadows = [None] * len(flat) if fakes is None else tree_leaves(fakes)
        made = [
            (self.put(number) if shadow is None else self._made(number, shadow))
            if isinstance(number, Tensor)
            else number
            for number, shadow in zip(flat, shadows, strict=True)
        ]
        return return_and_correct_aliasing(func, args, kwargs, tree_unflatten(made, spec))

    def __torch_function__(
        self, func: Callable, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        own = CROSSINGS.get(func)
        if own is not None:
            return own(self, func, *args, **kwargs)
        device = kwargs.get("device")
        if device is None or torch.device(device).type != "cuda":
            if any(map(_is_batched, tree_leaves(args))):
                with _Constants(self):
                    return func(*args, **kwargs)
            return func(*args, **kwargs)
        given = func(*args, **(kwargs | {"device": CPU}))
        if isinstance(given, AbstractTensor):
            return given
        if func in (torch.tensor, torch.as_tensor):
            self.waits.append(f"copy to the GPU by {func.__name__}")
        return self.put(given.clone())

    def to(self, func: Callable, tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """`to` answers `Tensor.to`."""
        like = args[0] if args else kwargs.pop("other", None)
        device, dtype = kwargs.pop("device", None), kwargs.pop("dtype", None)
        if isinstance(like, Tensor):
            device, dtype = like.device, like.dtype
        else:
            for one in args:
                if isinstance(one, torch.dtype):
                    dtype = one
                elif isinstance(one, str | torch.device):
                    device = one
        there = tensor.device if device is None else torch.device(device)
        waits = not (kwargs.pop("non_blocking", False) and hasattr(tensor, "is_in_pinned_memory"))
        with torch._C.DisableTorchFunction():
            tensor = tensor if dtype is None else Tensor.to(tensor, dtype, **kwargs)
        return self._moved(tensor, there, waits)

    def _moved(self, tensor: Tensor, there: torch.device, waits: bool = True) -> Tensor:
        """`_moved` returns a tensor on a device, the very one where it is there already."""
        if there.type == tensor.device.type:
            return tensor
        if there.type == "cuda":
            self.waits += ["copy to the GPU"] * waits
            return self.put(tensor.clone())
        self.waits.append("copy from the GPU")
        return tensor.numbers.clone()

    def pin_memory(self, func: Callable, tensor: Tensor) -> Tensor:
        pinned = tensor.clone()
        pinned.is_in_pinned_memory = True
        return pinned

    def cpu(self, func: Callable, tensor: Tensor) -> Tensor:
        return self._moved(tensor, CPU)

    def tolist(self, func: Callable, tensor: Tensor) -> Any:
        return self._moved(tensor, CPU).tolist()

    def numpy(self, func: Callable, tensor: Tensor, *args: Any, **kwargs: Any) -> Any:
        if isinstance(tensor, AbstractTensor):
            raise TypeError("can't convert cuda:0 device type tensor to numpy")
        return func(tensor, *args, **kwargs)

    def _made(self, numbers: Tensor, fake: Tensor) -> AbstractTensor:
        if numbers.shape != fake.shape:  # what batch normalization keeps for its gradient differs
            return self.put(numbers)
        storage = numbers.untyped_storage()
        if storage.data_ptr() not in self.storages:
            self.held_bytes += storage.nbytes()
        self.storages[storage.data_ptr()] = StorageWeakRef(storage), storage.nbytes()
        if self.held_bytes > self.peak_bytes:  # perhaps: what has been freed is counted still
            self.storages = {key: one for key, one in self.storages.items() if not one[0].expired()}
            self.held_bytes = sum(size for _, size in self.storages.values())
            self.peak_bytes = max(self.peak_bytes, self.held_bytes)
        return AbstractTensor(numbers, fake)


class _Constants(TorchDispatchMode):
    """`_Constants` puts on the GPU what the rules of `vmap` make for themselves, such as a one for a weight:
    they ask C++ for the device."""

    def __init__(self, gpu: AbstractGPU) -> None:
        super().__init__()
        self.gpu = gpu

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = func(*args, **(kwargs or {}))
        made = "device" in (kwargs or {}) and not any(isinstance(one, Tensor) for one in tree_leaves(args))
        return self.gpu.put(given) if made else given


CROSSINGS: dict[Callable, Callable] = {
    Tensor.to: AbstractGPU.to,
    Tensor.cpu: AbstractGPU.cpu,
    Tensor.pin_memory: AbstractGPU.pin_memory,
    Tensor.tolist: AbstractGPU.tolist,
    Tensor.numpy: AbstractGPU.numpy,
    Tensor.__array__: AbstractGPU.numpy,
}


def _refuse_two_devices(func: Any, arguments: Any) -> None:
    """What fake tensors check, where they cannot: single numbers may be anywhere."""
    for tensor in tree_leaves(arguments):
        if isinstance(tensor, Tensor) and tensor.ndim and not isinstance(tensor, AbstractTensor):
            raise RuntimeError(f"{func}: a tensor on the CPU among those on the GPU")


def _is_masked(arguments: Sequence[Any]) -> bool:
    """Whether one of the arguments is a list of indices with a mask among them, which a GPU counts first."""
    return any(
        isinstance(index, Tensor) and index.dtype == torch.bool
        for argument in arguments
        if isinstance(argument, list | tuple)
        for index in argument
    )


def _numbers(arguments: Any) -> Any:
    return tree_map_only(AbstractTensor, lambda tensor: tensor.numbers, arguments)


def _fakes(arguments: Any) -> Any:
    return tree_map_only(AbstractTensor, lambda tensor: tensor.fake, arguments)


def _is_batched(argument: Any) -> bool:
    return isinstance(argument, Tensor) and is_batchedtensor(argument)
