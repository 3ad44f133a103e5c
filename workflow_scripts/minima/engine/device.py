"""Where to train."""

import logging

import torch

logger = logging.getLogger("minima")


def choose(device: str) -> torch.device:
    """`auto` takes a GPU where there is one and says so; `cuda` without one is an error."""
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
    return chosen
