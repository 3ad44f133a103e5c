"""Which GPU a job takes: a cluster gives each job its own; on a workstation jobs share them out. On a
CPU: how a job's process handles its memory."""

import ctypes
import os
import platform
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import torch

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1  # names of malloc.h
LARGE = 2**25  # bytes of an array that has pages of its own, the most that glibc takes
KEPT = 2**28  # bytes of freed memory
_held: list[IO[str]] = []  # open until the process ends, and with it the lock


def take(device: str) -> "tuple[torch.device, str]":
    """The device to train on, with `device` as in `execution.device`, and its name."""
    import torch

    from minima.engine.device import choose

    if device != "cpu" and torch.cuda.is_available():
        torch.cuda.set_device(free_gpu(torch.cuda.device_count()))
    chosen = choose(device)
    if chosen.type == "cpu":
        keep_memory()
    return chosen, torch.cuda.get_device_name() if chosen.type == "cuda" else processor()


def keep_memory() -> None:
    """Has this process keep memory that it frees for what it allocates next, where its C library is glibc.

    By default a large array's memory goes back to the system, which clears every page of the next one anew:
    at a few megabytes that takes longer than an elementwise pass.
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    mallopt(MMAP_THRESHOLD, LARGE)
    mallopt(TRIM_THRESHOLD, KEPT)


def free_gpu(count: int, folder: Path | None = None) -> int:
    """The first of `count` GPUs that no other job of this user holds, held from now on; 0 where all are."""
    if count < 2:
        return 0
    folder = folder or Path(tempfile.gettempdir())
    import fcntl  # not on Windows

    for index in range(count):
        lock = (folder / f"minima_{os.getuid()}_gpu{index}.lock").open("w", encoding="utf-8")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            continue
        _held.append(lock)
        return index
    return 0


def processor() -> str:
    """The name of this machine's processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
