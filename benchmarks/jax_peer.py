"""The engine's shapes in JAX, jit of vmap(grad) in lax.scan: python benchmarks/jax_peer.py [SHAPE …]

An optional peer, which nothing of the project imports. In an environment of its own:

    python -m venv ELSEWHERE
    ELSEWHERE/bin/python -m pip install --requirement benchmarks/jax_requirements.txt
    PYTHONPATH=workflow_scripts python benchmarks/engine.py --jax ELSEWHERE/bin/python

trains beside the engine, in turns with its other contestants; alone, it prints its own times. A SHAPE is
`optimizer,points,width,features,networks,dtype`. Networks, losses and steps are those of
benchmarks/engine.py; the loss of every step is kept; compiling is left out. CPU seconds, one pinned thread.
"""

import os
import sys
import time
from functools import cache, partial

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)
LR = {"gd": 1e-3, "adam": 1e-5}
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
SHAPES = ["gd,64,64,64,8,float32", "adam,64,64,64,8,float32", "gd,256,256,64,8,float32"]


def loss(weights, x, y):
    first, second = weights
    return jnp.mean((jax.nn.relu(x @ first.T) @ second.T - y) ** 2) / 2


slopes = jax.vmap(jax.value_and_grad(loss))


def gd(carry, k, x, y):
    weights, moments = carry
    losses, gradients = slopes(weights, x, y)
    weights = jax.tree.map(lambda w, g: w - LR["gd"] * g, weights, gradients)
    return (weights, moments), losses


def adam(carry, k, x, y):
    weights, (mean, square) = carry
    losses, gradients = slopes(weights, x, y)
    mean = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, mean, gradients)
    square = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, square, gradients)
    rate = LR["adam"] / (1 - BETA1**k)

    def moved(w, m, v):
        return w - (rate * m / (jnp.sqrt(v / (1 - BETA2**k)) + EPSILON)).astype(w.dtype)

    return (jax.tree.map(moved, weights, mean, square), (mean, square)), losses


@partial(jax.jit, static_argnums=(0, 1))
def run(optimizer, steps, weights, x, y):
    zeros = jax.tree.map(jnp.zeros_like, weights)
    step = partial({"gd": gd, "adam": adam}[optimizer], x=x, y=y)
    numbers = jnp.arange(1, steps + 1, dtype=x.dtype)
    return jax.lax.scan(step, (weights, (zeros, zeros)), numbers)


@cache
def task(points, width, features, networks, dtype):
    rng = np.random.default_rng(0)

    def draw(*shape):
        return jnp.asarray(rng.standard_normal(shape), dtype)

    weights = draw(networks, width, features) / features**0.5, draw(networks, 1, width) / width**0.5
    return weights, draw(networks, points, features), draw(networks, points, 1)


@cache
def compiled(shape, steps):
    optimizer, *sizes, dtype = shape.split(",")
    given = task(*map(int, sizes), dtype)
    return run.lower(optimizer, steps, *given).compile(), given


def seconds(shape: str, steps: int) -> float:
    """Per step of all networks."""
    program, given = compiled(shape, steps)
    begun = time.process_time()
    jax.block_until_ready(program(*given))
    return (time.process_time() - begun) / steps


def main() -> None:
    if sys.argv[1:] == ["--serve"]:  # `SHAPE STEPS` a line in, seconds a line out
        print(jax.__version__, flush=True)
        for line in sys.stdin:
            shape, steps = line.split()
            print(seconds(shape, int(steps)), flush=True)
        return
    print(f"jax {jax.__version__}, one thread\n\n| optimizer,n,h,d,networks,dtype | ms a step |\n|---|---|")
    for shape in sys.argv[1:] or SHAPES:
        print(f"| {shape} | {1000 * min(seconds(shape, 200) for _ in range(3)):.3f} |", flush=True)


if __name__ == "__main__":
    main()
