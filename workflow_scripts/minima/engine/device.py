"""The device on which networks are trained."""

import logging
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

logger = logging.getLogger("minima")


def choose(device: str) -> torch.device:
    """`choose` returns the device for `execution.device`, and logs it: auto takes a GPU where the job sees
    one, cuda without a GPU is an error."""
    if device == "cuda" and not torch.cuda.is_available():
        raise RuntimeError(
            "execution.device is cuda and this job sees no GPU: ask for one in the profile "
            "(set-resources: train_pack: gpu: 1), or set execution.device to auto or cpu"
        )
    chosen = torch.device("cpu" if device == "cpu" or not torch.cuda.is_available() else "cuda")
    name = (
        torch.cuda.get_device_name() if chosen.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    )
    logger.info("device: %s (%s)", chosen.type, name)
    if chosen.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = False  # float32 means float32
        torch.backends.cudnn.allow_tf32 = False  # convolutions have a flag of their own, on by default
    return chosen


def sent(array: np.ndarray, device: torch.device) -> Tensor:
    """`sent` returns an array on a device. On its way to a GPU it lies in memory of the system's that the GPU
    reads by itself: any other copy waits for what the GPU is at."""
    tensor = torch.from_numpy(array)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor


@cache
def cache_bytes() -> int:
    """`cache_bytes` returns the size of a core's own cache (L2); 1 MiB where the system does not tell."""
    try:
        size = Path("/sys/devices/system/cpu/cpu0/cache/index2/size").read_text().strip()
        return int(size.removesuffix("K")) * 1024
    except (OSError, ValueError):
        return 2**20
