"""What theory computes of networks at their start, in time and memory: python benchmarks/theory.py [TABLE …]

TABLES: `layers`, fully connected nets; `cnn`, that of the default studies; `ways`, its kernel beside what one
would write with torch.func; `resnet18`. `--against PATH` has the code of another checkout take turns: a ratio
says how many times as long this code takes. `--device cuda` takes the same networks to a GPU.

A cell of the plan is drawn, its tangent kernel computed, and what is predicted from it, by the functions that
a training job calls. Each contestant has a process of its own on one thread; calls take turns, after one that
is not counted, whose memory is the peak beyond what was there before. Processor seconds (on a GPU: wall), the
median. Linux only.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
os.environ.pop("OPENBLAS_CORETYPE", None)

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev, jvp, vjp, vmap

HERE = Path(__file__).parents[1]
DIGITS = {"source": "digits", "test_size": 200, "normalize": "range", "split": 0}
PAIR = DIGITS | {"classes": [3, 8], "train_size": 40}  # one output
TEN = DIGITS | {"labels": "onehot", "train_size": 100}  # ten
SGD = {"name": "sgd", "lr": 1e-3, "batch_size": 10}
ADAGRAD = {"name": "adagrad", "lr": 1e-3}
PREDICTORS = {  # what is measured → the predictors that it asks for
    "kernel": [],
    "linearized": ["linearized"],
    "weighted kernel": ["preconditioned_start"],
    "adaptive flow": ["adagrad_flow"],
}
GROWTH = 4.0  # of the pieces of the flow: eleven
DEAR = 1e8  # parameters × rows of J: above, no product that weighs every parameter
ENOUGH, ROUNDS = 2.0, (1, 5)  # seconds of each contestant, and the least and the most calls
Case = Mapping[str, Any]


# What is measured


def prepared(case: Case) -> Callable[[], object]:
    """`prepared` returns the call that a case describes."""
    from minima.plan.config import Block
    from minima.plan.grid import expand
    from minima.plan.recipes import reader
    from minima.training.kernels import kernels_of
    from minima.training.methods import recipe_of, resolved_numbers
    from minima.training.predictions import linearization_of, predictions_of
    from minima.training.start import network_of, start_of

    if case["what"] in WAYS:
        return WAYS[case["what"]]
    network, predict, device = case["network"], PREDICTORS[case["what"]], torch.device(case["device"])
    sections = {"optimizer": ADAGRAD, "init": {"scheme": "gaussian"}}
    if network["kind"] != "mlp":
        sections = {"optimizer": SGD, "init": {"scheme": "kaiming"}}
    seeds = {"start": 0, "count": case["networks"]}
    block = Block.model_validate(
        {"data": "own", "network": network, "seed": seeds, "dtype": "float64", "predict": [], **sections}
    )
    cells = [cell.values for cell in expand(block, {"own": reader().validate_python(case["recipe"])}).cells]
    for cell in cells:
        cell["predict"] = predict or ["linearized"]  # who predicts needs a kernel
        cell["linearized_run"]["growth"] = GROWTH
    splits = [images(case) if network["kind"] == "resnet18" else digits(case["recipe"])] * len(cells)
    made = network_of(cells[0], splits[0])
    start = start_of(made, cells, splits, device)

    def call() -> object:
        kernels = kernels_of(cells, made.ensemble, start)
        if not predict:
            return kernels
        numbers = resolved_numbers(cells, made.ensemble, start, kernels)
        recipe = recipe_of(cells, numbers, start.points, splits[0].shape)
        linearization = linearization_of(cells, made.ensemble, start, kernels, splits, recipe)
        return predictions_of(linearization, cells[0]["predict"])

    return call


def digits(recipe: Mapping[str, Any]) -> Any:
    from minima.data.prepare import prepare
    from minima.training.start import Arrays

    data = prepare(recipe, [0], HERE)
    arrays = (data[name].values[0] for name in ("x_train", "y_train", "x_test", "y_test"))
    return Arrays(*arrays, (1, 8, 8))


def images(case: Case) -> Any:
    """Noise of three colours, 32 × 32, in ten classes."""
    from minima.training.start import Arrays

    rng = np.random.default_rng(0)
    x, y = rng.random((2, case["recipe"]["train_size"], 3 * 32 * 32)), np.eye(10)
    y = y[rng.integers(10, size=x.shape[:2])]
    return Arrays(x[0], y[0], x[1], y[1], (3, 32, 32))


def plain_cnn() -> tuple[nn.Module, dict[str, Tensor], Tensor]:
    """The default studies' CNN as PyTorch starts it, its parameters, and images."""
    torch.manual_seed(0)
    blocks = [
        layer
        for into, out, pools in ((1, 16, False), (16, 32, True), (32, 32, True))
        for layer in (nn.Conv2d(into, out, 3, padding=1), nn.ReLU(), *[nn.MaxPool2d(2)] * pools)
    ]
    dense = [nn.Flatten(), nn.Linear(128, 256), nn.ReLU(), nn.Linear(256, 10)]
    module = nn.Sequential(*blocks, *dense).double()
    x = torch.tensor(digits(TEN).x_train).view(-1, 1, 8, 8)
    return module, {name: p.detach() for name, p in module.named_parameters()}, x


def by_minima() -> Tensor:
    """By its function for any module, this code's or that of another checkout."""
    from minima.theory.empirical import module_kernel

    module, _, x = plain_cnn()
    return module_kernel(module, x)


def by_contraction() -> Tensor:
    """J of every point by vmapped jacrev, and JJᵀ, tensor by tensor: PyTorch's tutorial."""
    module, parameters, x = plain_cnn()

    def one(own: dict[str, Tensor], point: Tensor) -> Tensor:
        return functional_call(module, own, (point.unsqueeze(0),))[0]

    rows = [part.flatten(2).flatten(0, 1) for part in vmap(jacrev(one), (None, 0))(parameters, x).values()]
    return sum(part @ part.T for part in rows)


def by_products() -> Tensor:
    """Column by column of a pair of points, a vjp and a jvp each: the tutorial's other way."""
    module, parameters, x = plain_cnn()
    unit = torch.eye(10, dtype=x.dtype)

    def pair(left: Tensor, right: Tensor) -> Tensor:
        _, pull = vjp(lambda own: functional_call(module, own, (left.unsqueeze(0),))[0], parameters)

        def column(output: Tensor) -> Tensor:
            f = lambda own: functional_call(module, own, (right.unsqueeze(0),))[0]  # noqa: E731
            return jvp(f, (parameters,), pull(output))[1]

        return vmap(column)(unit)

    blocks = vmap(vmap(pair, (None, 0)), (0, None), chunk_size=10)(x, x)
    return blocks.permute(0, 2, 1, 3).flatten(2).flatten(0, 1)


WAYS = {"minima": by_minima, "contraction": by_contraction, "NTK-vector products": by_products}


# Contestants


def serve(case: Case) -> None:
    """A call for every line in; its seconds and megabytes as a line out."""
    torch.set_num_threads(1)
    gpu = case["device"] == "cuda"
    clock = time.perf_counter if gpu else time.process_time
    call = prepared(case)
    print(json.dumps(torch.__version__), flush=True)
    for _ in sys.stdin:
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts from here
        before, begun = megabytes("VmRSS"), clock()
        call()
        if gpu:
            torch.cuda.synchronize()
        seconds = clock() - begun
        memory = torch.cuda.max_memory_allocated() / 2**20 if gpu else megabytes("VmHWM") - before
        print(json.dumps((seconds, memory)), flush=True)


def megabytes(what: str) -> float:
    """Of this process: VmRSS, in use, or VmHWM, its peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{what}:"))


class Contestant:
    """`Contestant` is a process that has a case prepared by the code of a checkout."""

    def __init__(self, case: Case, checkout: Path = HERE):
        environment = os.environ | {"PYTHONPATH": str(checkout / "workflow_scripts")}
        command = [sys.executable, __file__, "--serve", json.dumps(case)]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True)
        self._answer()
        self.seconds: list[float] = []
        self.memory = self.call()
        self.first = self.seconds.pop()

    def call(self) -> float:
        """`call` makes one call, and returns its megabytes."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        seconds, memory = self._answer()
        self.seconds.append(seconds)
        return memory

    def end(self) -> None:
        self._process.stdin.close()
        self._process.wait()

    def _answer(self) -> Any:
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"a contestant ended with {self._process.wait()}")
        return json.loads(line)


def contest(*contestants: Contestant) -> list[float]:
    """`contest` returns the median seconds of each."""
    longest = max(one.first for one in contestants)
    for _ in range(int(min(max(ENOUGH / longest, ROUNDS[0]), ROUNDS[1]))):
        for one in contestants:
            one.call()
    for one in contestants:
        one.end()
    return [statistics.median(one.seconds) for one in contestants]


# Tables


def layers(device: str, against: Path | None) -> Iterator[str]:
    yield "| outputs | points | depth | width | what | seconds | MB | over the other code |"
    yield "|---|---|---|---|---|---|---|---|"
    for recipe, outputs in ((PAIR, 1), (TEN, 10)):
        for depth in (2, 3):
            for width in (256, 1024, 4096):
                network = {"kind": "mlp", "width": width, "depth": depth}
                parameters = 64 * width + (depth - 2) * width**2
                points = recipe["train_size"]
                for what in PREDICTORS:
                    if what in ("weighted kernel", "adaptive flow") and parameters * points * outputs > DEAR:
                        continue
                    case = {"network": network, "recipe": recipe, "what": what} | one(device)
                    pair = [Contestant(case), *([Contestant(case, against)] if against else [])]
                    seconds = contest(*pair)
                    ratio = f"{seconds[0] / seconds[1]:.2f}" if against else "–"
                    yield (
                        f"| {outputs} | {points} | {depth} | {width} | {what} | {seconds[0]:.3f} "
                        f"| {pair[0].memory:.0f} | {ratio} |"
                    )


def cnn(device: str, _: Path | None) -> Iterator[str]:
    yield "| networks | what | seconds | first call | MB |\n|---|---|---|---|---|"
    for networks, wanted in ((1, PREDICTORS), (2, ("kernel", "linearized"))):
        for what in wanted:
            case = {"network": {"kind": "cnn"}, "recipe": TEN, "what": what} | one(device, networks)
            who = Contestant(case)
            (seconds,) = contest(who)
            yield f"| {networks} | {what} | {seconds:.2f} | {who.first:.2f} | {who.memory:.0f} |"


def ways(device: str, against: Path | None) -> Iterator[str]:
    yield "| by | seconds | MB | over minima |\n|---|---|---|---|"
    case = {"device": "cpu"}
    others = {what: Contestant(case | {"what": what}) for what in WAYS}
    if against:
        others["minima, the other code"] = Contestant(case | {"what": "minima"}, against)
    seconds = contest(*others.values())
    for (what, who), taken in zip(others.items(), seconds, strict=True):
        yield f"| {what} | {taken:.2f} | {who.memory:.0f} | {taken / seconds[0]:.1f} |"


def resnet18(device: str, _: Path | None) -> Iterator[str]:
    yield "| points | what | seconds of one call | MB |\n|---|---|---|---|"
    recipe = TEN | {"train_size": 50}
    for what in ("kernel", "linearized"):
        case = {"network": {"kind": "resnet18", "batch_norm": False}, "recipe": recipe, "what": what}
        who = Contestant(case | one(device))
        who.end()
        yield f"| 50 | {what} | {who.first:.0f} | {who.memory:.0f} |"


def one(device: str, networks: int = 1) -> dict[str, Any]:
    return {"networks": networks, "device": device}


TABLES = {"layers": layers, "cnn": cnn, "ways": ways, "resnet18": resnet18}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=f"of {', '.join(TABLES)}; all by default")
    parser.add_argument("--against", type=Path, help="another checkout")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--serve", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        return serve(options.serve)
    for name in options.tables or TABLES:
        for line in TABLES[name](options.device, options.against and options.against.resolve()):
            print(line, flush=True)
        print()


if __name__ == "__main__":
    main()
