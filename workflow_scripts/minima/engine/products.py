"""Matrix products on a CPU, by the library that multiplies fastest on this machine's processor.

PyTorch brings MKL, which on processors of other makers than Intel runs at a third to a half of what the
same core does with NumPy's OpenBLAS; on Intel's, OpenBLAS is the faster one for small matrices that are
written into a larger array, as gradients are (benchmarks/products.py shows both). Tensors and arrays share
their memory, so either library may compute a product. Which one does is a property of the processor and of
the shapes, never of a measurement in a job: all jobs of a machine agree to the last bit, however busy it is.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, partial
from math import prod
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

LIBRARIES = ("numpy", "torch")
SMALL = 2**12  # elements of the largest of the three matrices
_CHOICE: ContextVar[str] = ContextVar("products", default="auto")


@cache
def is_amd() -> bool:
    """`is_amd` returns whether this machine's processor is one of AMD's."""
    try:
        return "AuthenticAMD" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False


def library(*shapes: Sequence[int]) -> str:
    """`library` returns which library computes a product of matrices of these shapes here and now: "numpy" or
    "torch"."""
    chosen = _CHOICE.get()
    if chosen != "auto":
        return chosen
    small = max(prod(shape[-2:]) for shape in shapes) <= SMALL
    return "numpy" if small or is_amd() else "torch"


def described() -> str:
    """`described` returns by which libraries products are computed here and now, as a cell records it."""
    large, small = ((size, size) for size in (2 * SMALL, 1))
    return " and ".join(dict.fromkeys(library(shape) for shape in (small, large)))


@contextmanager
def by(choice: str) -> Iterator[None]:
    """`by` has products computed by a library of this name, or by the fastest for "auto", while it lasts."""
    if choice not in ("auto", *LIBRARIES):
        raise ValueError(f"products: {choice} is none of auto, {', '.join(LIBRARIES)}")
    token = _CHOICE.set(choice)
    try:
        yield
    finally:
        _CHOICE.reset(token)


def matmul(a: Tensor, b: Tensor, out: Tensor | None = None) -> Tensor:
    """`matmul` returns a b, for stacks of matrices on any device, written to `out` where that is given; on a
    GPU PyTorch computes it."""
    if a.device.type != "cpu" or library(a.shape, b.shape, (a.shape[-2], b.shape[-1])) == "torch":
        return torch.matmul(a, b, out=out)
    with np.errstate(over="ignore", invalid="ignore"):  # as silent as PyTorch
        found = np.matmul(a.numpy(), b.numpy(), out=None if out is None else out.numpy())
    return torch.from_numpy(found) if out is None else out


def product(a: Tensor, b: Tensor, out: Tensor, scale: float = 1.0, add: bool = False) -> Callable[[], object]:
    """`product` returns a call that writes scale · a b to `out`, or adds it there.

    a [B, m, k], b [B, k, n] and out [B, m, n] are tensors on a CPU whose memory stays where it is: views are
    made once, for a step that is taken many times.
    """
    if library(a.shape, b.shape, out.shape) == "torch":
        return partial(torch.baddbmm, out, a, b, beta=float(add), alpha=scale, out=out)
    left, right = a.numpy(), b.numpy()
    if not add and scale == 1:
        return partial(np.matmul, left, right, out=out.numpy())
    room = torch.empty(out.shape, dtype=out.dtype) if add else out
    space = room.numpy()

    def compute() -> None:
        np.matmul(left, right, out=space)
        if add:
            out.add_(room, alpha=scale)
        else:
            out.mul_(scale)

    return compute
