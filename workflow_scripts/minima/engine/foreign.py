"""What modules that are not ours are called within, so that they are ours to seed and to differentiate."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """`seeded` lets PyTorch and NumPy draw from this seed within, and then go on as if nothing had been
    drawn. Modules draw on the CPU: no cell depends on the device."""
    before = np.random.get_state()  # noqa: NPY002 modules of users may draw so
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        try:
            yield
        finally:
            np.random.set_state(before)  # noqa: NPY002


@contextmanager
def plain_attention() -> Iterator[None]:
    """`plain_attention` has attention computed by products and softmax, of which PyTorch knows derivatives of
    every order and mode; of its fused kernels it does not."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
