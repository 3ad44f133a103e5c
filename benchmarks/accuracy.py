"""What it costs to know where a network ends: python benchmarks/accuracy.py WHAT [OPTIMIZER [WIDTH]]

WHAT is one of

train   trains the study `adaptive`'s networks (digits 3 against 8, 40 points, two layers, ReLU) at falling
        learning rates to a residual of 1e-3, and takes from the two least rates η and η/2 the limit of small
        steps, 2f(η/2) − f(η). How sure it is: what the two least but one would have given
price   measures what each way of knowing takes, in turns, in CPU seconds: a gradient of the loss on the
        training points (of the engine), a step of training, of the engine in its stacks and of a plain loop
        by autograd, and every predictor, from the weights at the start to f on the test points

Every pair of an optimizer and a width is measured for itself, all of them where none is named, and stored in
benchmarks/measured/accuracy.json.gz. Errors are ‖f − limit‖/‖limit‖ on the test points. RMSprop and Adam
forget as fast as at their usual numbers, (1 − α)/η = 10 and (1 − β2)/η = 1: then they have a limit. Training
costs its steps times the seconds of one; in gradients it costs its steps, and anything else its seconds over
those of a gradient. `benchmarks/accuracy_figure.py` makes tables and figure of what is stored.
"""

import argparse
import fcntl
import gzip
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import product
from pathlib import Path
from statistics import fmean, median
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import torch
from torch import Tensor

from minima.data.prepare import prepare
from minima.engine.losses import mse
from minima.engine.passes import passes_of
from minima.engine.stack import stacked
from minima.jobs.devices import keep_memory
from minima.plan.config import Block
from minima.plan.grid import expand
from minima.plan.recipes import reader
from minima.theory import followed
from minima.training.cells import train_cells
from minima.training.kernels import kernels_of
from minima.training.methods import recipe_of, resolved_numbers
from minima.training.predictions import linearization_of, predictions_of
from minima.training.start import Arrays, Start, network_of, start_of

ROOT = Path(__file__).parents[1]
MEASURED = ROOT / "benchmarks" / "measured" / "accuracy.json.gz"
CPU = torch.device("cpu")
RECIPE = {"source": "digits", "classes": [3, 8], "train_size": 40, "test_size": 200}
RESIDUAL = 1e-3
SEEDS = {256: [300, 301, 302], 1024: [300], 4096: [300]}
GROWTHS = (2.0, 1.5, 1.28, 1.14, 1.07, 1.035)  # of strides
# Of each optimizer at each width: the largest rate, and how many there are, each half of the one before.
# RMSprop at larger ones does not come to the residual, Adam and AdaGrad would be in another regime.
RATES = {
    "gd": {256: (0.8, 5), 1024: (0.8, 5), 4096: (0.8, 4)},
    "heavy_ball": {256: (0.5, 6), 1024: (0.5, 5), 4096: (0.5, 4)},
    "adagrad": {256: (0.04, 6), 1024: (0.02, 5), 4096: (0.01, 5)},
    "rmsprop": {256: (6e-5, 4), 1024: (6e-5, 3), 4096: (1.2e-4, 4)},
    "adam": {256: (2e-3, 7), 1024: (1e-3, 5), 4096: (5e-4, 4)},
}
RELATIVE = ("gd", "heavy_ball")  # to the stability edge of gradient descent
LIMIT_OF = {"heavy_ball": "gd"}  # gradient flow, to which gradient descent goes by smaller errors
FORGETS = {"rmsprop": ("alpha", 10.0), "adam": ("beta2", 1.0)}
BASELINES = ("linearized", "self_consistent", "adaptive_flow")  # the last two of adaptive methods
ROUNDS, TURN, ENOUGH = 3, 0.1, 1.0  # turns of each contestant at most; seconds of one of training, and
# in all, after which a contestant takes none
Found = dict[str, Any]


# Networks


def rates(optimizer: str, width: int) -> list[float]:
    """`rates` returns the falling rates at which an optimizer trains networks of a width."""
    largest, count = RATES[optimizer][width]
    return [largest / 2**halved for halved in range(count)]


def options(optimizer: str, rate: float) -> Found:
    """`options` returns an optimizer's section of a cell."""
    if optimizer in RELATIVE:
        return {"name": optimizer, "lr": {"relative": rate}}
    own = {name: 1 - speed * rate for name, speed in [FORGETS[optimizer]]} if optimizer in FORGETS else {}
    return {"name": optimizer, "lr": rate, **own}


def cells_of(
    optimizer: str, width: int, rate: float, seeds: Sequence[int], steps: int = 10**7
) -> list[Found]:
    block = Block.model_validate(
        {
            "data": "digits",
            "network": {"kind": "mlp", "width": width},
            "optimizer": options(optimizer, rate),
            "stop": {"residual": RESIDUAL, "max_steps": steps},
            "predict": [],
        }
    )
    grids = {"digits": reader().validate_python(RECIPE)}
    return [cell.values | {"seed": seed} for cell in expand(block, grids).cells for seed in seeds]


@cache
def split_of(seed: int) -> Arrays:
    data = prepare(RECIPE, [seed], ROOT)
    return Arrays(*(data[name].values[0] for name in ("x_train", "y_train", "x_test", "y_test")))


def starts_of(cells: Sequence[Found]) -> Start:
    splits = [split_of(cell["seed"]) for cell in cells]
    return start_of(network_of(cells[0], splits[0]), cells, splits, CPU)


# Training


def trained(optimizer: str, width: int, rate: float, seeds: Sequence[int]) -> list[Found]:
    """`trained` returns f on the test points, steps and status of every seed, by the engine."""
    cells = cells_of(optimizer, width, rate, seeds)
    done = {each.position: each.values for each in train_cells(cells, [*map(split_of, seeds)], CPU)}
    return [done[row] for row in range(len(seeds))]


def train(optimizer: str, width: int, seeds: Sequence[int]) -> Found:
    """`train` returns the steps that training takes at falling rates, their ends' errors, and the limit."""
    falling, ends, steps = rates(optimizer, width), [], []
    for rate in falling:
        begun = time.process_time()
        runs = trained(optimizer, width, rate, seeds)
        ends.append([run["test"].ravel() for run in runs])
        steps.append([run["steps"] for run in runs])
        print(optimizer, width, f"{rate:g}", steps[-1], f"{time.process_time() - begun:.1f} s", flush=True)
    shown = len(falling) - (0 if optimizer in LIMIT_OF else 2)  # two make the limit
    found = {"seeds": list(seeds), "rates": falling, "shown": shown, "steps": steps}
    if optimizer in LIMIT_OF:
        found |= {name: stored()[f"{LIMIT_OF[optimizer]} {width}"][name] for name in ("limit", "unsure")}
    else:
        limit, coarser = extrapolated(ends[-2:]), extrapolated(ends[-3:-1])
        found |= {"limit": limit.tolist(), "unsure": distances(coarser, limit)}
    return found | {"errors": [distances(end, found["limit"]) for end in ends]}


def extrapolated(ends: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    """`extrapolated` returns where f [seeds, t] goes from f at a rate and at half of it, to first order."""
    whole, half = map(np.asarray, ends)
    return 2 * half - whole


def distances(found: Sequence[np.ndarray], limit: Sequence[np.ndarray]) -> list[float]:
    """`distances` returns ‖f − limit‖/‖limit‖ of every seed."""
    pairs = zip(np.asarray(found), np.asarray(limit), strict=True)
    return [float(np.linalg.norm(f - goal) / np.linalg.norm(goal)) for f, goal in pairs]


TORCH: Mapping[str, Callable[..., torch.optim.Optimizer]] = {
    "gd": lambda p, lr: torch.optim.SGD(p, lr),
    "heavy_ball": lambda p, lr: torch.optim.SGD(p, lr, momentum=0.9),
    "adagrad": lambda p, lr: torch.optim.Adagrad(p, lr),
    "rmsprop": lambda p, lr: torch.optim.RMSprop(p, lr, alpha=1 - FORGETS["rmsprop"][1] * lr),
    "adam": lambda p, lr: torch.optim.Adam(p, lr, betas=(0.9, 1 - FORGETS["adam"][1] * lr)),
}


def loop(optimizer: str, start: Start, rate: float, most: int = 10**7) -> tuple[Tensor, int]:
    """`loop` returns f on the test points and the steps of one network, trained by autograd and torch.optim.
    `rate` is absolute."""
    first, last = (weight[0, 0].clone().requires_grad_() for weight in start.weights)
    x, y = start.x_all[0], start.y[0]

    def f(x: Tensor) -> Tensor:
        hidden = torch.relu(x @ first.T / first.shape[1] ** 0.5)
        return hidden @ last.T / last.shape[1] ** 0.5

    method, begin = TORCH[optimizer]([first, last], rate), None
    for step in range(most + 1):
        method.zero_grad()
        loss = torch.nn.functional.mse_loss(f(x[: len(y)]), y) / 2
        now = loss.item()
        begin = now if begin is None else begin
        if step == most or now <= RESIDUAL**2 * begin:
            break
        loss.backward()
        method.step()
    return f(x[len(y) :]).detach(), step


# Prices


def gradient_of(cell: Found) -> Callable[[], object]:
    """`gradient_of` returns a pass of the engine over the training points, forward and back."""
    network, start = network_of(cell, split_of(cell["seed"])), starts_of([cell])
    stack = stacked(network.ensemble.trained, start.weights, start.x, start.y, (), {}, False)
    return passes_of(network.ensemble, stack, mse.loss).full


def prediction_of(name: str, cell: Found, growth: float | None) -> Callable[[], tuple[np.ndarray, float]]:
    """`prediction_of` returns a call that predicts from the weights at the start: f on the test points, and
    the steps, pieces or gradients that it says. A flow of the network has strides of this growth, or of as
    many growths as it takes to be sure of its error."""
    split, cells = split_of(cell["seed"]), [cell | {"predict": [name]}]
    network, start = network_of(cell, split), starts_of([cell])

    def call() -> tuple[np.ndarray, float]:
        kernels = kernels_of(cells, network.ensemble, start)
        numbers = resolved_numbers(cells, network.ensemble, start, kernels)
        recipe = recipe_of(cells, numbers, start.points, split.shape)
        linearization = linearization_of(cells, network.ensemble, start, kernels, [split], recipe)
        with growing_by(growth):
            (found,) = predictions_of(linearization, [name])
        return found[f"{name}_test"].ravel(), float(found[f"{name}_steps"])

    return call


@contextmanager
def growing_by(growth: float | None) -> Iterator[None]:
    usual = followed.GROWTHS
    followed.GROWTHS = usual if growth is None else (growth,)
    try:
        yield
    finally:
        followed.GROWTHS = usual


def price(optimizer: str, width: int, known: Found) -> Found:
    """`price` returns CPU seconds of one network: of a gradient, of a step and of every predictor, with its
    errors."""
    seeds, rate = known["seeds"], known["rates"][-1]
    cells = cells_of(optimizer, width, rate, seeds)
    gradient, start = gradient_of(cells[0]), starts_of(cells[:1])
    steps = steps_of_a_turn(gradient)
    short, splits = cells_of(optimizer, width, rate, seeds, steps), [*map(split_of, seeds)]
    own = absolute(optimizer, cells[0], start)
    contestants: dict[Any, Callable[[], Any]] = {
        "gradient": lambda: [gradient() for _ in range(steps)],
        "engine": lambda: list(train_cells(short, splits, CPU)),
        "loop": lambda: loop(optimizer, start, own, steps),
    }
    ways = [(name, None) for name in BASELINES if optimizer not in RELATIVE or name == "linearized"]
    ways += [("network_flow", growth) for growth in (None, *GROWTHS)]
    for name, growth in ways:
        for row, cell in enumerate(cells):
            contestants[name, growth, row] = prediction_of(name, cell, growth)
    loop(optimizer, start, own, 1)  # imports what torch.optim needs
    taken, answers = in_turns(contestants)
    predicted = []
    for name, growth in ways:
        each = [(name, growth, row) for row in range(len(seeds))]
        predicted.append(
            {
                "name": name,
                "growth": growth,
                "steps": [answers[one][1] for one in each],
                "seconds": fmean(taken[one] for one in each),
                "errors": distances([answers[one][0] for one in each], known["limit"]),
            }
        )
    shares = {"gradient": steps, "engine": steps * len(seeds), "loop": steps}
    return {"seconds": {name: taken[name] / share for name, share in shares.items()}, "predicted": predicted}


def steps_of_a_turn(gradient: Callable[[], object]) -> int:
    """`steps_of_a_turn` returns in how many gradients a turn lasts."""
    gradient()
    begun = time.process_time()
    for _ in range(10):
        gradient()
    return max(20, round(TURN / max((time.process_time() - begun) / 10, 1e-5)))


def absolute(optimizer: str, cell: Found, start: Start) -> float:
    """`absolute` returns a cell's rate as a loop takes it."""
    rate = cell["optimizer"]["lr"]
    if optimizer not in RELATIVE:
        return rate
    ensemble = network_of(cell, split_of(cell["seed"])).ensemble
    kernels = kernels_of([cell], ensemble, start)
    (numbers,) = resolved_numbers([cell], ensemble, start, kernels)
    return numbers["lr"]


def in_turns(contestants: Mapping[Any, Callable[[], Any]]) -> tuple[dict[Any, float], dict[Any, Any]]:
    """`in_turns` returns the median CPU seconds of every contestant and what it answered. The first turn
    counts of contestants for which one is ENOUGH."""
    answers: dict[Any, Any] = {}
    taken: dict[Any, list[float]] = {name: [] for name in contestants}
    for turn, (name, call) in product(range(1 + ROUNDS), contestants.items()):
        if sum(taken[name]) > ENOUGH:
            continue
        begun = time.process_time()
        answers[name] = call()
        seconds = time.process_time() - begun
        if turn > 0 or seconds > ENOUGH:
            taken[name].append(seconds)
    return {name: median(seconds) for name, seconds in taken.items()}, answers


# What is stored


def stored() -> dict[str, Found]:
    """`stored` returns all that was measured, by optimizer and width: "adagrad 256"."""
    return json.loads(gzip.decompress(MEASURED.read_bytes())) if MEASURED.exists() else {}


def store(key: str, found: Found) -> None:
    """`store` adds to what is stored of an optimizer and a width; several processes may."""
    with Path(__file__).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        everything = stored()
        everything[key] = everything.get(key, {}) | found
        text = json.dumps(short(everything), separators=(",", ":"), sort_keys=True).encode()
        MEASURED.write_bytes(gzip.compress(text, mtime=0))


def short(value: Any) -> Any:
    """`short` returns the same with six digits of every number."""
    if isinstance(value, dict):
        return {key: short(each) for key, each in value.items()}
    if isinstance(value, list):
        return [short(each) for each in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["train", "price"])
    parser.add_argument("optimizer", nargs="?", choices=RATES)
    parser.add_argument("width", nargs="?", type=int, choices=SEEDS)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    keep_memory()  # as a job does; the loop's too
    for optimizer, width in product(RATES, SEEDS):
        if asked.optimizer not in (None, optimizer) or asked.width not in (None, width):
            continue
        key = f"{optimizer} {width}"
        if asked.what == "train":
            store(key, train(optimizer, width, SEEDS[width]))
        if asked.what == "price":
            store(key, price(optimizer, width, stored()[key]))


if __name__ == "__main__":
    main()
