"""Matrix products by each library at hand: python benchmarks/products.py

GFLOP/s of NumPy (OpenBLAS), PyTorch (MKL on most machines) and PyTorch's oneDNN, which has float32 alone, no
place for its result and a private name, so that nothing here uses it. Results are written as gradients are,
into rows that hold other layers too. One pinned thread, the best of seven turns in CPU seconds. `chosen` is
what `minima.engine.products` takes on this processor.
"""

import os
import time
from collections.abc import Callable

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ.pop("OPENBLAS_CORETYPE", None)

import torch
from torch import Tensor

from minima.engine import products

SHAPES = [  # stack, m, k, n
    (1, 2048, 2048, 2048),
    (8, 64, 64, 64),
    (32, 32, 64, 40),
    (4, 256, 64, 256),
    (2, 1024, 64, 64),
    (1, 1024, 64, 256),
    (1, 4096, 64, 64),
    (8, 1, 64, 64),
    (1, 1, 4096, 64),
]


def rate(call: Callable[[], object], flops: float) -> float:
    """GFLOP/s of the best turn."""
    repeats = max(1, round(2e9 / flops))
    best = float("inf")
    for _ in range(7):
        begun = time.process_time()
        for _ in range(repeats):
            call()
        best = min(best, time.process_time() - begun)
    return flops * repeats / best / 1e9


def onednn(a: Tensor, b: Tensor) -> Callable[[], object]:
    """A product by oneDNN, matrix after matrix."""
    operator = torch.ops.mkldnn._linear_pointwise
    right = b.mT.contiguous()
    pairs = list(zip(a, right, strict=True))
    return lambda: [operator(left, weight, None, "none", [], "") for left, weight in pairs]


def main() -> None:
    torch.set_num_threads(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    print("| stack × m × k × n | dtype | NumPy | PyTorch | oneDNN | chosen |\n|---|---|---|---|---|---|")
    for stack, m, k, n in SHAPES:
        for dtype in (torch.float32, torch.float64):
            a, b = torch.randn(stack, m, k, dtype=dtype), torch.randn(stack, k, n, dtype=dtype)
            row = torch.empty(stack, m * n + m, dtype=dtype)
            out, flops = row[:, : m * n].unflatten(1, (m, n)), 2.0 * stack * m * k * n
            rates = []
            for library in products.LIBRARIES:
                with products.by(library):
                    rates.append(f"{rate(products.product(a, b, out), flops):.0f}")
            rates.append(f"{rate(onednn(a, b), flops):.0f}" if dtype == torch.float32 else "–")
            chosen = products.library(a.shape, b.shape, out.shape)
            name = str(dtype).removeprefix("torch.")
            print(
                f"| {stack} × {m} × {k} × {n} | {name} |",
                *(f"{r} |" for r in rates),
                f"{chosen} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
