"""Convolutional networks one by one or stacked: python benchmarks/modules.py

A step of SGD on batches of 50 out of 200 images, in float32: by the engine one network at a time, as it
trains them on a CPU; by the engine with all networks vmapped; by the same net with its convolutions in
groups; by the loop that a user would write with nn.Module and torch.optim. The engine's steps include its
look at some of the points after every epoch. CPU seconds of one thread, the difference of a long run and
a short one, in turns, medians of five (ResNet18: once). The small CNN is that of `bad_minima` on digits
(8×8), ResNet18 has 32×32 images.
"""

import copy
import os
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial

os.environ["OMP_NUM_THREADS"] = "1"

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minima.engine.batches import Batches
from minima.engine.core import Recipe, train
from minima.engine.ensemble import Ensemble
from minima.engine.losses import cross_entropy
from minima.engine.models import cnn, resnet18
from minima.engine.models.module import ModuleNet
from minima.engine.optimizers import gd
from minima.engine.record import Rules

CHANNELS = [16, 32, 32]
POINTS, BATCH, RATE, STD = 200, 50, 1e-4, 0.05


def engine(net: ModuleNet, networks: int, together: bool, steps: int) -> None:
    """In one stack, or in stacks of one."""
    size = networks if together else 1
    for _ in range(networks // size):
        x, y = data(net.row, size)
        weights = [STD * torch.randn(size, 1, *matrix) for matrix in net.weight_shapes]
        for buffer in weights[len(net.parameters) :]:
            buffer.fill_(1.0)
        each = torch.ones(size, dtype=torch.float64)
        batches = Batches([0] * size, POINTS, BATCH, replacement=False)
        recipe = Recipe(gd, {"lr": RATE * each}, cross_entropy.loss, batches=batches)
        list(train(Ensemble(net), weights, x, y, recipe, Rules(0 * each, -each, steps, [], [])))


def loop(net: ModuleNet, networks: int, steps: int) -> None:
    """By nn.Module and torch.optim, one network after the other."""
    for _ in range(networks):
        module = copy.deepcopy(net.module).to_empty(device="cpu").train()
        for parameter in module.parameters():
            nn.init.normal_(parameter, std=STD)
        optimizer = torch.optim.SGD(module.parameters(), lr=RATE)
        x, y = data(net.row, 1)
        x, targets = x[0].unflatten(1, net.row), y[0].argmax(1)
        for step in range(steps):
            rows = batch(step)
            optimizer.zero_grad()
            F.cross_entropy(module(x[rows]), targets[rows]).backward()
            optimizer.step()


def grouped(networks: int, steps: int) -> None:
    """The CNN of all networks as one net: convolutions in groups, dense layers as batched products."""
    first, second, third = CHANNELS
    kernels = [(networks * out, into, 3, 3) for out, into in ((first, 1), (second, first), (third, second))]
    dense = [(networks, 4 * third, 256), (networks, 256, 10)]
    weights = [(STD * torch.randn(*shape)).requires_grad_() for shape in (*kernels, *dense)]
    optimizer = torch.optim.SGD(weights, lr=RATE)
    x, y = data((1, 8, 8), networks)
    x, targets = x.unflatten(2, (8, 8)), y.argmax(2)
    for step in range(steps):
        rows = batch(step)
        h = x[:, rows].transpose(0, 1)  # [batch, networks, 8, 8]
        for i, kernel in enumerate(weights[:3]):
            h = F.conv2d(h, kernel, padding=1, groups=networks).relu()
            h = F.max_pool2d(h, 2) if i else h
        h = h.unflatten(1, (networks, third)).flatten(2).transpose(0, 1)
        f = (h @ weights[3]).relu() @ weights[4]
        optimizer.zero_grad()
        (F.cross_entropy(f.flatten(0, 1), targets[:, rows].flatten()) * networks).backward()
        optimizer.step()


def batch(step: int) -> Tensor:
    return torch.arange(BATCH) + BATCH * (step % (POINTS // BATCH))


def data(row: Sequence[int], networks: int) -> tuple[Tensor, Tensor]:
    """Random images as rows, and classes: [E, n, d], [E, n, 10]."""
    x = torch.randn(networks, POINTS, torch.Size(row).numel())
    return x, F.one_hot(torch.randint(10, (networks, POINTS)), 10).float()


def milliseconds(way: Callable[[int], None], networks: int, steps: int) -> float:
    """Per step of one network, without what comes before the first step and after the last."""
    times = []
    for length in (steps, 3 * steps):
        begun = time.process_time()
        way(length)
        times.append(time.process_time() - begun)
    return 1e3 * (times[1] - times[0]) / (2 * steps * networks)


def row(name: str, ways: dict[str, Callable[[int], None]], networks: int, steps: int, rounds: int) -> str:
    """Milliseconds of the first way, and how many times as long the others take."""
    turns = [[milliseconds(way, networks, steps) for way in ways.values()] for _ in range(rounds)]
    first, *others = (statistics.median(times) for times in zip(*turns, strict=True))
    ratios = dict(zip(list(ways)[1:], (f"{other / first:.2f}" for other in others), strict=True))
    cells = [ratios.get(way, "–") for way in ("vmapped", "grouped", "loop")]
    return f"| {name} | {networks} | {first:.2f} | {' | '.join(cells)} |"


def main() -> None:
    torch.set_num_threads(1)
    small = cnn.build({"channels": CHANNELS, "hidden": 256, "batch_norm": False}, (1, 8, 8), 10)
    large = resnet18.build({"batch_norm": True}, (3, 32, 32), 10)
    print("| network | networks | one by one, ms | vmapped | grouped | nn.Module loop |")
    print("|---|---|---|---|---|---|")
    for networks in (3, 10):
        ways = {
            "one by one": partial(engine, small, networks, False),
            "vmapped": partial(engine, small, networks, True),
            "grouped": partial(grouped, networks),
            "loop": partial(loop, small, networks),
        }
        print(row("CNN", ways, networks, 40, 5), flush=True)
    ways = {"one by one": partial(engine, large, 1, False), "loop": partial(loop, large, 1)}
    print(row("ResNet18", ways, 1, 4, 1))


if __name__ == "__main__":
    main()
