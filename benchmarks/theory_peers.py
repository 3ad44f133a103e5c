"""The tangent kernel of the default studies' CNN by others: PYTHON benchmarks/theory_peers.py PEER [DTYPE]

Optional peers, which nothing of the project imports, each in an environment of its own:

    python -m venv A; A/bin/python -m pip install torch==2.13.0 scikit-learn curvlinops-for-pytorch==3.0.1
    python -m venv B; B/bin/python -m pip install --requirement benchmarks/neural_tangents_requirements.txt

PEER is `curvlinops`, with Python of A; or `contraction`, `products` or `structured`: neural-tangents' three
ways, jitted, with Python of B and an older JAX, as it does not import with a current one. The network, its
100 digits and ten outputs are those of `benchmarks/theory.py ways`; DTYPE is float64 by default. CPU seconds
of a first call, compiling included, and the least of two more; megabytes at most beyond what was there
before. One thread, Linux only.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ.pop("OPENBLAS_CORETYPE", None)

import numpy as np
from sklearn.datasets import load_digits

CONVOLUTIONS = ((1, 16, False), (16, 32, True), (32, 32, True))  # channels in and out, and whether pooled
IMAGES = load_digits().images[:100] / 16


def curvlinops(dtype: str) -> Callable[[], object]:
    """J and Jᵀ as linear operators, Jᵀ applied to all unit vectors at once."""
    import torch
    from curvlinops import TransposedJacobianLinearOperator
    from torch import nn

    torch.set_num_threads(1)
    blocks = [
        layer
        for into, out, pools in CONVOLUTIONS
        for layer in (nn.Conv2d(into, out, 3, padding=1), nn.ReLU(), *[nn.MaxPool2d(2)] * pools)
    ]
    net = nn.Sequential(*blocks, nn.Flatten(), nn.Linear(128, 256), nn.ReLU(), nn.Linear(256, 10))
    net = net.to(getattr(torch, dtype))
    x = torch.tensor(IMAGES[:, None]).to(getattr(torch, dtype))
    data = [(x, x.new_zeros(100, 10))]

    def call() -> object:
        operator = TransposedJacobianLinearOperator(
            net, list(net.parameters()), data, check_deterministic=False
        )
        columns = operator @ torch.eye(1000, dtype=x.dtype)
        return columns.T @ columns

    return call


def neural_tangents(way: str, dtype: str) -> Callable[[], object]:
    """`empirical_ntk_fn` by one of its implementations."""
    import jax
    import neural_tangents as nt
    from jax.example_libraries import stax

    jax.config.update("jax_enable_x64", True)
    blocks = [
        layer
        for _, out, pools in CONVOLUTIONS
        for layer in (
            stax.Conv(out, (3, 3), padding="SAME"),
            stax.Relu,
            *[stax.MaxPool((2, 2), (2, 2))] * pools,
        )
    ]
    make, apply = stax.serial(*blocks, stax.Flatten, stax.Dense(256), stax.Relu, stax.Dense(10))
    x = jax.numpy.asarray(IMAGES[..., None], dtype)
    _, parameters = make(jax.random.PRNGKey(0), x.shape)
    parameters = jax.tree_util.tree_map(lambda p: p.astype(dtype), parameters)
    implementation = {
        "contraction": nt.NtkImplementation.JACOBIAN_CONTRACTION,
        "products": nt.NtkImplementation.NTK_VECTOR_PRODUCTS,
        "structured": nt.NtkImplementation.STRUCTURED_DERIVATIVES,
    }[way]
    kernel = jax.jit(nt.empirical_ntk_fn(apply, trace_axes=(), vmap_axes=0, implementation=implementation))
    return lambda: np.asarray(kernel(x, None, parameters))


def megabytes(what: str) -> float:
    """Of this process: VmRSS, in use, or VmHWM, its peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{what}:"))


def main() -> None:
    peer, dtype = [*sys.argv[1:], "float64"][:2]
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    call = curvlinops(dtype) if peer == "curvlinops" else neural_tangents(peer, dtype)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts from here
    before, taken = megabytes("VmRSS"), []
    for _ in range(3):
        begun = time.process_time()
        call()
        taken.append(time.process_time() - begun)
    memory = megabytes("VmHWM") - before
    print(f"| {peer} | {dtype} | {taken[0]:.2f} | {min(taken[1:]):.2f} | {memory:.0f} |")


if __name__ == "__main__":
    main()
