"""The engine against the loop a user would write, side by side: python benchmarks/engine.py [--quick]

Every number is a ratio within one run: the contestants take turns (A B C A B C …) on one pinned thread, each
in a process of its own (memory that one has freed speeds up another), and the median of the rounds counts, in
CPU seconds: what else the machine does stays out of it as far as it can. With --jax PYTHON, that Python's
benchmarks/jax_peer.py takes turns too.
`loop` is nn.Module + torch.optim, one network after the other; `vmap` is torch.func.vmap over stacked
networks; the engine is `minima.engine.core.train` in the stacks that a job would form. All train the same
networks of depth 2 (ReLU, one output), set up included, on the same full batch with a look at the loss at
every step, or on batches of 32 (sgd). The last column counts the products that the engine does and compares
with the faster of NumPy and PyTorch at a product of two 2048 × 2048 matrices in the same run. The libraries'
own kernels are named; OPENBLAS_CORETYPE, which keeps NumPy from those of the processor, is left out of the
children's environment. With --device cuda all train on a GPU, in seconds of the clock.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any, NamedTuple

os.environ["OMP_NUM_THREADS"] = "1"
os.environ.pop("OPENBLAS_CORETYPE", None)  # of the children, which are spawned

import numpy as np
import torch
from threadpoolctl import threadpool_info
from torch import Tensor, nn

from minima.engine import products
from minima.engine.batches import Batches
from minima.engine.core import Recipe, Rules, train
from minima.engine.ensemble import Ensemble
from minima.engine.losses import mse
from minima.engine.networks import gram
from minima.engine.networks.mlp import MLP
from minima.forms import GRAM_POINTS_PER_FEATURE
from minima.training.memory import stack_size

SIZES = [(64, 64), (64, 1024), (256, 256), (256, 1024), (1024, 1024), (1024, 4096)]
BATCH = 32
STEPS = 25, 20_000  # of a turn: with the set up included, fewer would measure that
# Small step sizes: nobody reaches the end, or numbers too small for the fast path.
NUMBERS = {
    "gd": {"lr": 1e-3},
    "sgd": {"lr": 1e-3},
    "heavy_ball": {"lr": 1e-4, "momentum": 0.9},
    "adagrad": {"lr": 1e-5, "epsilon": 1e-8},
    "rmsprop": {"lr": 1e-6, "alpha": 0.99, "epsilon": 1e-8},
    "adam": {"lr": 1e-5, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8},
}
OPTIMIZERS = {
    "gd": lambda p: torch.optim.SGD(p, lr=1e-3),
    "sgd": lambda p: torch.optim.SGD(p, lr=1e-3),
    "heavy_ball": lambda p: torch.optim.SGD(p, lr=1e-4, momentum=0.9),
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=1e-5, eps=1e-8),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=1e-6),
    "adam": lambda p: torch.optim.Adam(p, lr=1e-5),
}


class Shape(NamedTuple):
    optimizer: str
    points: int
    width: int
    features: int = 64
    networks: int = 8
    dtype: torch.dtype = torch.float32
    device: str = "cpu"

    @property
    def gram(self) -> bool:
        """Whether the engine trains the first layer in its Gram form."""
        linear = self.optimizer in ("gd", "heavy_ball")
        return linear and self.points <= GRAM_POINTS_PER_FEATURE * self.features

    @property
    def model(self) -> MLP:
        return MLP((self.features, self.width, 1), "relu", "standard")

    @property
    def flops(self) -> float:
        """Of the products in one step of one network, as the engine does them: forward and weight gradient of
        the first layer, or a product with the Gram matrix; forward and both gradients of the second."""
        points = BATCH if self.optimizer == "sgd" else self.points
        return points * self.width * ((2 * points if self.gram else 4 * self.features) + 6)


class Task(NamedTuple):
    """Weights [E, out, in] of the two layers, and data [E, n, …]."""

    shape: Shape
    weights: list[Tensor]
    x: Tensor
    y: Tensor


@cache
def task(shape: Shape) -> Task:
    torch.manual_seed(0)
    draw = {"dtype": shape.dtype, "device": shape.device}
    first = torch.randn(shape.networks, shape.width, shape.features, **draw) / shape.features**0.5
    second = torch.randn(shape.networks, 1, shape.width, **draw) / shape.width**0.5
    x = torch.randn(shape.networks, shape.points, shape.features, **draw)
    return Task(shape, [first, second], x, torch.randn(shape.networks, shape.points, 1, **draw))


def engine(task: Task, steps: int) -> None:
    """The engine itself, in stacks as large as a job's."""
    shape = task.shape
    model = shape.model
    numbers = NUMBERS[shape.optimizer]
    shapes = gram.shapes(model, shape.points) if shape.gram else model.weight_shapes
    size = stack_size(
        shapes, 1, shape.points, str(shape.dtype).removeprefix("torch."), torch.device(shape.device)
    )
    for part in torch.arange(shape.networks).split(size):
        one = slice(int(part[0]), int(part[-1]) + 1)
        each = torch.ones(len(part), dtype=torch.float64)
        recipe = Recipe(
            import_module(f"minima.engine.optimizers.{shape.optimizer}"),
            {name: each * number for name, number in numbers.items()},
            mse.loss,
            batches=Batches(part.tolist(), shape.points, BATCH, False) if shape.optimizer == "sgd" else None,
        )
        weights = [weight[one].unsqueeze(1) for weight in task.weights]
        rules = Rules(0 * each, -each, steps, [], [])
        start: Any = Ensemble(model), weights, task.x[one]
        if shape.gram:
            form = gram.into(*start)
            start = form.ensemble, form.weights, form.x
        done = list(train(*start, task.y[one], recipe, rules))
        assert {end.status for end in done} == {"stopped"}


EVERYTHING = slice(None)


def batches(shape: Shape, steps: int) -> Iterator[Any]:
    """Rows of the points, step after step; the order is drawn anew every epoch."""
    if shape.optimizer != "sgd":
        yield from repeat(EVERYTHING, steps)
        return
    left: list[Tensor] = []
    for _ in range(steps):
        left = left or list(torch.randperm(shape.points).split(BATCH))
        yield left.pop().tolist()


def loop(task: Task, steps: int) -> None:
    """One network after the other, by autograd."""
    shape = task.shape
    for row in range(shape.networks):
        net = nn.Sequential(
            nn.Linear(shape.features, shape.width, bias=False, dtype=shape.dtype),
            nn.ReLU(),
            nn.Linear(shape.width, 1, bias=False, dtype=shape.dtype),
        ).to(shape.device)
        net.load_state_dict({"0.weight": task.weights[0][row], "2.weight": task.weights[1][row]})
        x, y = task.x[row], task.y[row]
        optimizer = OPTIMIZERS[shape.optimizer](net.parameters())
        for rows in batches(shape, steps):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(net(x[rows]), y[rows]) / 2
            if rows == EVERYTHING and loss.item() <= 0:
                break
            loss.backward()
            optimizer.step()


def vmap(task: Task, steps: int) -> None:
    """All networks at once, by torch.func."""
    shape = task.shape
    with torch.device("meta"):
        net = nn.Sequential(
            nn.Linear(shape.features, shape.width, bias=False),
            nn.ReLU(),
            nn.Linear(shape.width, 1, bias=False),
        )

    def loss(weights: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return nn.functional.mse_loss(torch.func.functional_call(net, weights, (x,)), y) / 2

    gradient = torch.func.vmap(torch.func.grad_and_value(loss))
    weights = {"0.weight": task.weights[0].clone(), "2.weight": task.weights[1].clone()}
    optimizer = OPTIMIZERS[shape.optimizer](weights.values())
    for rows in batches(shape, steps):
        gradients, losses = gradient(weights, task.x[:, rows], task.y[:, rows])
        if rows == EVERYTHING and (losses <= 0).any():
            break
        for name, weight in weights.items():
            weight.grad = gradients[name]
        optimizer.step()


CONTESTANTS = {"engine": engine, "loop": loop, "vmap": vmap}


def rates(shape: Shape, steps: int) -> dict[str, float]:
    """Floating-point operations per second of a large matrix product, the machine's own measure, by
    library."""
    found = {}
    a, b = (torch.randn(1, 2048, 2048, dtype=shape.dtype, device=shape.device) for _ in range(2))
    for library in products.LIBRARIES if shape.device == "cpu" else ("torch",):
        with products.by(library):
            call = products.product(a, b, torch.empty_like(a))
        call()
        begun = clock(shape)
        call()
        found[library] = 2 * 2048**3 / (clock(shape) - begun)
    return found


def libraries() -> str:
    """The BLAS libraries of this process, with the kernels that they chose."""
    np.ones((2, 2)) @ np.ones((2, 2))
    found = {f"{i['internal_api']} {i['version']} ({i.get('architecture', '–')})" for i in threadpool_info()}
    return ", ".join(sorted(found)) + f"; PyTorch: {torch.backends.cpu.get_cpu_capability()}"


def seconds(contestant: Callable[[Task, int], None], shape: Shape, steps: int) -> float:
    """Per step of all networks."""
    work = task(shape)
    begun = clock(shape)
    contestant(work, steps)
    return (clock(shape) - begun) / steps


def clock(shape: Shape) -> float:
    """Seconds of the processor; of the clock where a GPU does the work."""
    if shape.device == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


class Jax:
    """The optional peer, in an environment of its own."""

    def __init__(self, python: str) -> None:
        script = Path(__file__).with_name("jax_peer.py")
        self.process = Popen([python, script, "--serve"], stdin=PIPE, stdout=PIPE, text=True, bufsize=1)
        self.version = self.process.stdout.readline().strip()

    def seconds(self, shape: Shape, steps: int) -> float:
        optimizer, *sizes, dtype, _ = shape
        words = optimizer, *sizes, str(dtype).removeprefix("torch.")
        self.process.stdin.write(f"{','.join(map(str, words))} {steps}\n")
        return float(self.process.stdout.readline())


def measure(processes: dict[str, Any], shape: Shape, rounds: int, budget: float) -> dict[str, float]:
    """Medians: seconds per step of the contestants, and the machine's rate by the faster library."""

    def turn(name: str, steps: int) -> float:
        if name == "rate":
            return max(processes[name].apply(rates, (shape, steps)).values())
        if name == "jax":
            return processes[name].seconds(shape, steps)
        return processes[name].apply(seconds, (CONTESTANTS[name], shape, steps))

    if "jax" in processes and shape.optimizer not in ("gd", "adam"):
        processes = {name: process for name, process in processes.items() if name != "jax"}
    for name in processes:
        turn(name, 5)
    # As many as a turn of `budget` seconds holds at the machine's rate.
    wanted = round(budget * turn("rate", 1) / (shape.flops * shape.networks))
    steps = min(max(STEPS[0], wanted), STEPS[1])
    taken = [{name: turn(name, steps) for name in processes} for _ in range(rounds)]
    return {name: statistics.median(times[name] for times in taken) for name in processes}


def row(processes: dict[str, Any], shape: Shape, rounds: int, budget: float) -> str:
    median = measure(processes, shape, rounds, budget)
    share = shape.flops * shape.networks / median["engine"] / median["rate"]
    jax = ""
    if "jax" in processes:
        jax = f"| {median['jax'] / median['engine']:.2f} " if "jax" in median else "| – "
    step = 1e6 * median["engine"] / shape.networks
    return (
        f"| {shape.optimizer} | {shape.points} | {shape.width} | {shape.features} | {shape.networks} "
        f"| {str(shape.dtype).removeprefix('torch.')} | {'Gram' if shape.gram else 'plain'} "
        f"| {step:.1f} | {median['loop'] / median['engine']:.2f} | {median['vmap'] / median['engine']:.2f} "
        f"{jax}| {100 * share:.0f} % |"
    )


def processor() -> str:
    """The CPU's model, without the machine's name."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":")[1].strip()
    return platform.machine()


def pin() -> None:
    """One thread on one core, the same for all."""
    torch.set_num_threads(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three short rounds instead of five longer")
    parser.add_argument("--only", default="", help="only rows that contain this, such as 'gd 64 64'")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--jax", metavar="PYTHON", help="a Python that has benchmarks/jax_requirements.txt")
    options = parser.parse_args()
    rounds, budget = (3, 0.1) if options.quick else (5, 0.3)
    shapes = [Shape(optimizer, *size) for optimizer in ("gd", "adam") for size in SIZES]
    shapes += [Shape(optimizer, 256, 256) for optimizer in ("heavy_ball", "adagrad", "rmsprop", "sgd")]
    shapes += [
        Shape("gd", 64, 64, dtype=torch.float64),
        Shape("gd", 256, 256, dtype=torch.float64),
        Shape("gd", 256, 256, networks=32),
        Shape("gd", 100, 1024, features=784),
    ]
    shapes = [shape._replace(device=options.device) for shape in shapes]
    processes: dict[str, Any] = {name: get_context("spawn").Pool(1, pin) for name in [*CONTESTANTS, "rate"]}
    versions = f"torch {torch.__version__}"
    columns = ["optimizer", "n", "h", "d", "networks", "dtype", "form", "µs", "loop/engine", "vmap/engine"]
    if options.jax:
        processes["jax"] = Jax(options.jax)
        versions += f", jax {processes['jax'].version}"
        columns.append("jax/engine")
    machine = processor() if options.device == "cpu" else torch.cuda.get_device_name()
    print(f"{machine}, {os.cpu_count()} cores (one thread used), {versions}\n")
    gflops = processes["rate"].apply(rates, (shapes[0], 1))
    print(f"Libraries: {processes['engine'].apply(libraries)}.")
    print("2048³, float32:", *(f"{name} {rate / 1e9:.0f} GFLOP/s" for name, rate in gflops.items()), "\n")
    print("|", *(f"{column} |" for column in [*columns, "of the best rate"]))
    print("|" + "---|" * (len(columns) + 1))
    for shape in shapes:
        if f"{shape.optimizer} {shape.points} {shape.width} {shape.features}".startswith(options.only):
            print(row(processes, shape, rounds, budget), flush=True)


if __name__ == "__main__":
    main()
