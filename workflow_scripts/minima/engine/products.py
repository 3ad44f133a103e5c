"""Matrix products on a CPU, by the library that multiplies fastest on this machine's processor.

PyTorch brings MKL, which on processors of other makers than Intel runs at a third to a half of what the same
core does with NumPy's OpenBLAS (benchmarks/products.py shows both). Tensors and arrays share their memory, so
either library may compute a product. Which one does is a property of the processor, never of a measurement in
a job: all jobs of a machine agree to the last bit, however busy it is.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

LIBRARIES = ("numpy", "torch")
_CHOICE: ContextVar[str] = ContextVar("products", default="auto")


@cache
def fastest() -> str:
    """`fastest` returns the library for this machine's processor: NumPy on AMD's, PyTorch on all others."""
    try:
        amd = "AuthenticAMD" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        amd = False
    return "numpy" if amd else "torch"


def library() -> str:
    """`library` returns which library computes the products here and now: "numpy" or "torch"."""
    chosen = _CHOICE.get()
    return fastest() if chosen == "auto" else chosen


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


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """`matmul` returns a b, for stacks of matrices on any device; on a GPU PyTorch computes it."""
    if a.device.type != "cpu" or library() == "torch":
        return a @ b
    return torch.from_numpy(np.matmul(a.numpy(), b.numpy()))


def product(a: Tensor, b: Tensor, out: Tensor, scale: float = 1.0, add: bool = False) -> Callable[[], object]:
    """`product` returns a call that writes scale · a b to `out`, or adds it there.

    a [B, m, k], b [B, k, n] and out [B, m, n] are tensors on a CPU whose memory stays where it is: views are
    made once, for a step that is taken many times.
    """
    if library() == "torch":
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
