"""Kernels of wide networks and their regressions, beside what one would use instead:
python benchmarks/kernels.py [--quick]

Each measurement runs in a process of its own on one thread: processor seconds, the median of three calls
(of one where n = 4000) after one that is not counted, and the memory that the first call needs at most beside
what was there before. scikit-learn and SciPy stand where they do the same. Linux only. --quick leaves out
n = 4000. Kernels of networks as they are: benchmarks/theory.py.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import scipy.linalg
import torch
from scipy.spatial.distance import cdist
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import rbf_kernel

from minima.jobs.fit_reference import regressions
from minima.theory.kernels import ntk
from minima.theory.references import ntk as ntk_reference
from minima.theory.references import rbf
from minima.theory.solve import solve

FEATURES, TESTS, GAMMA = 64, 200, 1 / 64
RIDGES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)


def points(n: int, seed: int = 0) -> np.ndarray:
    """On the sphere of radius √FEATURES."""
    x = np.random.default_rng(seed).standard_normal((n, FEATURES))
    return x * FEATURES**0.5 / np.linalg.norm(x, axis=1, keepdims=True)


def data(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x and y of training points, x of test points."""
    return points(n), np.sign(points(n, 1)[:, :1]), points(TESTS, 2)


# What is measured: name → (who → (input, call)). Inputs are made before the clock starts.


def kernel_of(n: int) -> dict[str, tuple[Any, Callable]]:
    return {
        "ntk, depth 3": (points(n), lambda x: ntk(x, depth=3)),
        "ntk, depth 3, not symmetric": (points(n), lambda x: ntk(x, x.copy(), depth=3)),
        "rbf, scikit-learn": (points(n), lambda x: rbf_kernel(x, gamma=GAMMA)),
        "rbf, SciPy": (points(n), lambda x: np.exp(-GAMMA * cdist(x, x, "sqeuclidean"))),
    }


def solve_with(n: int) -> dict[str, tuple[Any, Callable]]:
    kernel, y = ntk(points(n), depth=3), data(n)[1]
    ridge = KernelRidge(alpha=1e-3, kernel="precomputed")
    return {
        "ridgeless, solve": ((kernel, y), lambda of: solve(*of)),
        "ridgeless, SciPy": ((kernel, y), lambda of: scipy.linalg.solve(*of, assume_a="pos")),
        "one ridge, scikit-learn": ((kernel, y), lambda of: ridge.fit(*of)),
    }


def ridges_with(n: int) -> dict[str, tuple[Any, Callable]]:
    def one_by_one(of: tuple) -> list:
        x, y, x_test = of
        fits = (KernelRidge(alpha=alpha, kernel="rbf", gamma=GAMMA).fit(x, y) for alpha in RIDGES)
        return [(fit.predict(x), fit.predict(x_test)) for fit in fits]

    ridges = {"alpha": RIDGES}
    return {
        "five ridges, rbf": (
            data(n),
            lambda of: [*regressions(rbf, {"alpha": RIDGES, "gamma": [GAMMA]}, *of)],
        ),
        "five ridges, rbf, scikit-learn": (data(n), one_by_one),
        "five ridges, ntk": (data(n), lambda of: [*regressions(ntk_reference, ridges, *of, (3,))]),
    }


def measure(make: Callable, n: int, who: str, rounds: int) -> tuple[float, float]:
    """Processor seconds and megabytes."""
    torch.set_num_threads(1)
    given, call = make(n)[who]
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts from here
    before = megabytes("VmRSS")
    call(given)
    memory = megabytes("VmHWM") - before
    taken = []
    for _ in range(rounds):
        begun = time.process_time()
        call(given)
        taken.append(time.process_time() - begun)
    return statistics.median(taken), memory


def megabytes(what: str) -> float:
    """Of this process: VmRSS, in use, or VmHWM, its peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{what}:"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="without n = 4000")
    sizes = (1000,) if parser.parse_args().quick else (1000, 4000)
    tasks = [(make, n) for make in (kernel_of, solve_with, ridges_with) for n in sizes]
    print("| what | n | CPU seconds | MB |\n|---|---|---|---|")
    for make, n in tasks:
        for who in make(10):
            with get_context("spawn").Pool(1) as pool:
                seconds, memory = pool.apply(measure, (make, n, who, 3 if n < 4000 else 1))
            print(f"| {who} | {n} | {seconds:.3f} | {memory:.0f} |", flush=True)


if __name__ == "__main__":
    main()
