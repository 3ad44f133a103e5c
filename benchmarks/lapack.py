"""Decompositions of the theory by the libraries at hand: CPU seconds on one core, as a markdown table.

    python benchmarks/lapack.py [--sizes 100 500 1000 2000] [--dtypes float64 float32]

Medians of interleaved runs, in one thread, on one pinned core. The table ends with the libraries and kernels
that ran. `minima.engine.decompositions` chooses by what it says.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from statistics import median

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"
if os.environ.pop("OPENBLAS_CORETYPE", None):  # hides the kernels of this processor
    os.execv(sys.executable, [sys.executable, *sys.argv])

import numpy as np  # noqa: E402
import scipy.linalg  # noqa: E402
import torch  # noqa: E402
from threadpoolctl import threadpool_info  # noqa: E402

LIBRARIES = ("torch", "numpy", "scipy")
ENOUGH = 1.0  # seconds per entry; small sizes are repeated
RUNS = 3


def calls(size: int, dtype: str) -> dict[str, dict[str, Callable[[], object]]]:
    """Operation → library → call, on one positive definite matrix; SciPy's products are NumPy's."""
    rng = np.random.default_rng(size)
    factor = rng.standard_normal((size, size)).astype(dtype)
    right = rng.standard_normal((size, 10)).astype(dtype)
    kernel = factor @ factor.T / size + np.eye(size, dtype=dtype)
    a, b, m = (torch.from_numpy(array) for array in (kernel, right, factor))
    lower = np.linalg.cholesky(kernel)
    tensor = torch.from_numpy(lower)
    options = {"check_finite": False}
    return {
        "eigh": {
            "torch": lambda: torch.linalg.eigh(a),
            "numpy": lambda: np.linalg.eigh(kernel),
            "scipy": lambda: scipy.linalg.eigh(kernel, driver="evd", **options),
        },
        "eigvalsh": {
            "torch": lambda: torch.linalg.eigvalsh(a),
            "numpy": lambda: np.linalg.eigvalsh(kernel),
            "scipy": lambda: scipy.linalg.eigvalsh(kernel, driver="evd", **options),
        },
        "cholesky": {
            "torch": lambda: torch.linalg.cholesky(a),
            "numpy": lambda: np.linalg.cholesky(kernel),
            "scipy": lambda: scipy.linalg.cholesky(kernel.T, lower=True, **options),
        },
        "two triangles": {
            "torch": lambda: torch.cholesky_solve(b, tensor),
            "scipy": lambda: scipy.linalg.cho_solve((lower, True), right, **options),
        },
        "solve": {
            "torch": lambda: torch.linalg.solve(a, b),
            "numpy": lambda: np.linalg.solve(kernel, right),
            "scipy": lambda: scipy.linalg.solve(kernel, right, **options),
        },
        "svd": {
            "torch": lambda: torch.linalg.svd(m, full_matrices=False),
            "numpy": lambda: np.linalg.svd(factor, full_matrices=False),
            "scipy": lambda: scipy.linalg.svd(factor, full_matrices=False, **options),
        },
        "matmul": {"torch": lambda: m @ a, "numpy": lambda: factor @ kernel},
    }


def seconds(call: Callable[[], object], times: int) -> float:
    begin = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - begin) / times


def measured(libraries: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Library → median CPU seconds of runs that take turns."""
    first = {name: seconds(call, 1) for name, call in libraries.items()}
    times = {name: max(1, int(ENOUGH / RUNS / max(took, 1e-6))) for name, took in first.items()}
    runs = 1 if min(first.values()) > ENOUGH else RUNS
    found = {name: [] for name in libraries}
    for _ in range(runs):
        for name, call in libraries.items():
            found[name].append(seconds(call, min(times[name], 1000)))
    return {name: median(own) for name, own in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 500, 1000, 2000])
    parser.add_argument("--dtypes", nargs="+", default=["float64", "float32"])
    options = parser.parse_args()
    torch.set_num_threads(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    print("| n | | torch, ms | NumPy | SciPy | fastest |\n|---|---|---|---|---|---|")
    for dtype in options.dtypes:
        for size in options.sizes:
            for operation, libraries in calls(size, dtype).items():
                took = measured(libraries)
                cells = [f"{1e3 * took[name]:.3g}" if name in took else "" for name in LIBRARIES]
                best = min(took, key=took.get)
                row = [
                    f"{size}, {dtype}",
                    operation,
                    *cells,
                    f"{best}, {took['torch'] / took[best]:.2f} times",
                ]
                print("| " + " | ".join(row) + " |", flush=True)
    for library in threadpool_info():
        parts = [library.get(key) for key in ("internal_api", "version", "architecture") if library.get(key)]
        print(f"\n{library['user_api']}: {', '.join(parts)} ({os.path.basename(library['filepath'])})")
    mkl = [line.strip() for line in torch.__config__.show().splitlines() if "Math Kernel" in line]
    print("\ntorch:", *mkl, torch.backends.cpu.get_cpu_capability())


if __name__ == "__main__":
    main()
