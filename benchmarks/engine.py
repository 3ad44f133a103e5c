"""The engine against the loop a user would write, side by side: python benchmarks/engine.py [--quick]

Every number is a ratio within one run: the contestants take turns (A B C A B C …) on one pinned thread, each
in a process of its own (memory that one has freed speeds up another), and the median of the rounds counts, in
CPU seconds: what else the machine does stays out of it as far as it can. With --jax PYTHON, that Python's
benchmarks/jax_peer.py takes turns too.
`loop` is nn.Module + torch.optim, one network after the other; `vmap` is torch.func.vmap over stacked
networks; the engine is `minima.engine.core.train` in the stacks that a job would form. All train the same
networks of depth 2 (ReLU, one output) on the same full batch, set up included, and look at their loss at
every step.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from functools import cache
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any, NamedTuple

os.environ["OMP_NUM_THREADS"] = "1"

import torch
from torch import Tensor, nn

from minima.engine.core import Recipe, Rules, train
from minima.engine.ensemble import Ensemble
from minima.engine.losses import mse
from minima.engine.models import gram
from minima.engine.models.mlp import MLP
from minima.forms import GRAM_POINTS_PER_FEATURE
from minima.training.cells import stack_size

CPU = torch.device("cpu")
SIZES = [(64, 64), (64, 1024), (256, 256), (256, 1024), (1024, 1024), (1024, 4096)]
LR = {"gd": 1e-3, "adam": 1e-5}  # small: nobody reaches the end, or numbers too small for the fast path
ADAM = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
OPTIMIZERS = {"gd": torch.optim.SGD, "adam": torch.optim.Adam}


class Shape(NamedTuple):
    optimizer: str
    points: int
    width: int
    features: int = 64
    networks: int = 8
    dtype: torch.dtype = torch.float32

    @property
    def gram(self) -> bool:
        """Whether the engine trains the first layer in its Gram form."""
        return self.optimizer == "gd" and self.points <= GRAM_POINTS_PER_FEATURE * self.features

    @property
    def model(self) -> MLP:
        return MLP((self.features, self.width, 1), "relu", "standard")

    @property
    def flops(self) -> float:
        """Of the products in one step of one network, as the engine does them: forward and weight gradient of
        the first layer, or a product with the Gram matrix; forward and both gradients of the second."""
        return self.points * self.width * ((2 * self.points if self.gram else 4 * self.features) + 6)


class Task(NamedTuple):
    """Weights [E, out, in] of the two layers, and data [E, n, …]."""

    shape: Shape
    weights: list[Tensor]
    x: Tensor
    y: Tensor


@cache
def task(shape: Shape) -> Task:
    torch.manual_seed(0)
    draw = {"dtype": shape.dtype}
    first = torch.randn(shape.networks, shape.width, shape.features, **draw) / shape.features**0.5
    second = torch.randn(shape.networks, 1, shape.width, **draw) / shape.width**0.5
    x = torch.randn(shape.networks, shape.points, shape.features, **draw)
    return Task(shape, [first, second], x, torch.randn(shape.networks, shape.points, 1, **draw))


def engine(task: Task, steps: int) -> None:
    """The engine itself, in stacks as large as a job's."""
    shape = task.shape
    model = shape.model
    numbers = {"lr": LR[shape.optimizer], **(ADAM if shape.optimizer == "adam" else {})}
    shapes = gram.shapes(model, shape.points) if shape.gram else model.weight_shapes
    size = stack_size(shapes, 1, shape.points, str(shape.dtype).removeprefix("torch."), CPU)
    for part in torch.arange(shape.networks).split(size):
        one = slice(int(part[0]), int(part[-1]) + 1)
        each = torch.ones(len(part), dtype=torch.float64)
        recipe = Recipe(
            import_module(f"minima.engine.optimizers.{shape.optimizer}"),
            {name: each * number for name, number in numbers.items()},
            mse.loss,
        )
        weights = [weight[one].unsqueeze(1).clone() for weight in task.weights]
        rules = Rules(0 * each, -each, steps, [], [])
        start: Any = Ensemble(model), weights, task.x[one]
        if shape.gram:
            form = gram.into(*start)
            start = form.ensemble, form.weights, form.x
        done = list(train(*start, task.y[one], recipe, rules))
        assert {end.status for end in done} == {"stopped"}


def loop(task: Task, steps: int) -> None:
    """One network after the other, by autograd."""
    shape = task.shape
    for row in range(shape.networks):
        net = nn.Sequential(
            nn.Linear(shape.features, shape.width, bias=False, dtype=shape.dtype),
            nn.ReLU(),
            nn.Linear(shape.width, 1, bias=False, dtype=shape.dtype),
        )
        net.load_state_dict({"0.weight": task.weights[0][row], "2.weight": task.weights[1][row]})
        x, y = task.x[row], task.y[row]
        optimizer = OPTIMIZERS[shape.optimizer](net.parameters(), lr=LR[shape.optimizer])
        for _ in range(steps):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(net(x), y) / 2
            if loss.item() <= 0:
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
    optimizer = OPTIMIZERS[shape.optimizer](weights.values(), lr=LR[shape.optimizer])
    for _ in range(steps):
        gradients, losses = gradient(weights, task.x, task.y)
        if (losses <= 0).any():
            break
        for name, weight in weights.items():
            weight.grad = gradients[name]
        optimizer.step()


CONTESTANTS = {"engine": engine, "loop": loop, "vmap": vmap}


@cache
def square(dtype: torch.dtype, size: int = 2048) -> list[Tensor]:
    return [torch.randn(size, size, dtype=dtype) for _ in range(3)]


def rate(shape: Shape, steps: int) -> float:
    """Floating-point operations per second of a large matrix product, the machine's own measure."""
    a, b, out = square(shape.dtype)
    begun = time.process_time()
    torch.mm(a, b, out=out)
    return 2 * len(a) ** 3 / (time.process_time() - begun)


def seconds(contestant: Callable[[Task, int], None], shape: Shape, steps: int) -> float:
    """Per step of all networks."""
    work = task(shape)
    begun = time.process_time()
    contestant(work, steps)
    return (time.process_time() - begun) / steps


class Jax:
    """The optional peer, in an environment of its own."""

    def __init__(self, python: str) -> None:
        script = Path(__file__).with_name("jax_peer.py")
        self.process = Popen([python, script, "--serve"], stdin=PIPE, stdout=PIPE, text=True, bufsize=1)
        self.version = self.process.stdout.readline().strip()

    def seconds(self, shape: Shape, steps: int) -> float:
        optimizer, *sizes, dtype = shape
        words = optimizer, *sizes, str(dtype).removeprefix("torch.")
        self.process.stdin.write(f"{','.join(map(str, words))} {steps}\n")
        return float(self.process.stdout.readline())


def measure(processes: dict[str, Any], shape: Shape, rounds: int, budget: float) -> dict[str, float]:
    """Medians: seconds per step of the contestants, and the machine's rate."""

    def turn(name: str, steps: int) -> float:
        if name == "rate":
            return processes[name].apply(rate, (shape, steps))
        if name == "jax":
            return processes[name].seconds(shape, steps)
        return processes[name].apply(seconds, (CONTESTANTS[name], shape, steps))

    for name in processes:
        turn(name, 5)
    # As many as a turn of `budget` seconds holds at the machine's rate.
    steps = max(5, round(budget * turn("rate", 1) / (shape.flops * shape.networks)))
    taken = [{name: turn(name, steps) for name in processes} for _ in range(rounds)]
    return {name: statistics.median(times[name] for times in taken) for name in processes}


def row(processes: dict[str, Any], shape: Shape, rounds: int, budget: float) -> str:
    median = measure(processes, shape, rounds, budget)
    share = shape.flops * shape.networks / median["engine"] / median["rate"]
    jax = f"| {median['jax'] / median['engine']:.2f} " if "jax" in median else ""
    return (
        f"| {shape.optimizer} | {shape.points} | {shape.width} | {shape.features} | {shape.networks} "
        f"| {str(shape.dtype).removeprefix('torch.')} | {'Gram' if shape.gram else 'plain'} "
        f"| {median['loop'] / median['engine']:.2f} | {median['vmap'] / median['engine']:.2f} "
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
    parser.add_argument("--jax", metavar="PYTHON", help="a Python that has benchmarks/jax_requirements.txt")
    options = parser.parse_args()
    rounds, budget = (3, 0.1) if options.quick else (5, 0.3)
    shapes = [Shape(optimizer, *size) for optimizer in OPTIMIZERS for size in SIZES]
    shapes += [
        Shape("gd", 256, 256, dtype=torch.float64),
        Shape("gd", 256, 256, networks=32),
        Shape("gd", 100, 1024, features=784),
    ]
    processes: dict[str, Any] = {name: get_context("spawn").Pool(1, pin) for name in [*CONTESTANTS, "rate"]}
    versions = f"torch {torch.__version__}"
    columns = ["optimizer", "n", "h", "d", "networks", "dtype", "form", "loop/engine", "vmap/engine"]
    if options.jax:
        processes["jax"] = Jax(options.jax)
        versions += f", jax {processes['jax'].version}"
        columns.append("jax/engine")
    print(f"{processor()}, {os.cpu_count()} cores (one thread used), {versions}\n")
    print("|", *(f"{column} |" for column in [*columns, "of GEMM rate"]))
    print("|" + "---|" * (len(columns) + 1))
    for shape in shapes:
        if f"{shape.optimizer} {shape.points} {shape.width} {shape.features}".startswith(options.only):
            print(row(processes, shape, rounds, budget), flush=True)


if __name__ == "__main__":
    main()
