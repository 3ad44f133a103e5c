"""The memory that Jacobians and kernels may take. What would need more is computed in parts, or refused."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

DEFAULT_GB = 4.0
_GIGABYTES: ContextVar[float] = ContextVar("budget", default=DEFAULT_GB)


def numbers(itemsize: int) -> int:
    """`numbers` returns how many numbers of so many bytes each fit the budget here and now."""
    return int(_GIGABYTES.get() * 1e9) // itemsize


@contextmanager
def of(gigabytes: float) -> Iterator[None]:
    """`of` has Jacobians and kernels take so much memory, and no more, while it lasts."""
    token = _GIGABYTES.set(gigabytes)
    try:
        yield
    finally:
        _GIGABYTES.reset(token)
