"""Convolutional and dense modules on a CPU, and what a step of one costs: python benchmarks/modules.py

Steps of SGD on batches of 50 out of 200 points, in float32, one thread: by the engine as it trains such a
network; by the engine with autograd, as it trains nets without passes by hand; by autograd with all networks
vmapped; by the same net with its convolutions in groups; and by the loop that a user would write with
nn.Module and torch.optim on the same batches and shifts. The engine's steps include its looks at the loss
between epochs. CPU seconds, the difference of a long run and a short one; ways take turns, each in a process
of its own (memory that one has freed speeds up another); medians. The CNN is that of `bad_minima` on digits
(8×8), the dense net is another of its kinds, ResNet18 has 32×32 images.

Then the profiles of a step on the CNN: the parts of the engine's, medians of CPU time, with the rates of its
products; and the operations of the user's loop, by PyTorch's profiler, whose times are wall times: on an idle
machine only.
"""

import copy
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import cache, partial
from math import prod
from multiprocessing import get_context

os.environ["OMP_NUM_THREADS"] = "1"
os.environ.pop("OPENBLAS_CORETYPE", None)

import torch
from threadpoolctl import threadpool_info
from torch import Tensor, nn
from torch.nn import functional as F
from torch.profiler import ProfilerActivity, profile

from minima.engine import products
from minima.engine.augment import Augment
from minima.engine.batches import Batches
from minima.engine.core import Recipe, train
from minima.engine.ensemble import Ensemble
from minima.engine.looks import FIRST_LOOK
from minima.engine.losses import cross_entropy
from minima.engine.models import cnn, dense, resnet18
from minima.engine.networks.layers import Convolution, Layer, Linear
from minima.engine.networks.module import ModuleNet
from minima.engine.optimizers import gd
from minima.engine.passes import BoundPasses
from minima.engine.record import Rules
from minima.engine.stack import stacked

CHANNELS = [16, 32, 32]
POINTS, BATCH, RATE, STD, CLASSES = 200, 50, 1e-4, 0.05, 10
WAYS = ("loop", "autograd", "vmapped", "grouped")
Way = Callable[[int], object]


class ByAutograd(ModuleNet):
    """`ByAutograd` is a module without passes by hand."""

    bound = None
    _columns = 0


def engine(name: str, networks: int, together: bool, shift: int, steps: int) -> None:
    """In one stack, or in stacks of one."""
    net = net_of(name)
    size = networks if together else 1
    for _ in range(networks // size):
        x, y = data(net.row, size)
        each = torch.ones(size, dtype=torch.float64)
        batches = Batches([0] * size, POINTS, BATCH, replacement=False)
        augment = Augment([0] * size, net.row, shift, flip=False) if shift else None
        recipe = Recipe(gd, {"lr": RATE * each}, cross_entropy.loss, batches=batches, augment=augment)
        rules = Rules(0 * each, -each, steps, [], [])
        list(train(Ensemble(net), weights_of(net, size), x, y, recipe, rules))


def loop(name: str, networks: int, shift: int, steps: int) -> None:
    """By nn.Module and torch.optim, one network after the other."""
    net = net_of(name)
    for _ in range(networks):
        module = copy.deepcopy(net.module).to_empty(device="cpu").train()
        for parameter in module.parameters():
            nn.init.normal_(parameter, std=STD)
        optimizer = torch.optim.SGD(module.parameters(), lr=RATE)
        augment = Augment([0], net.row, shift, flip=False)
        x, y = data(net.row, 1)
        targets = y[0].argmax(1)
        for step in range(steps):
            rows = batch(step)
            points = augment(x[:, rows])[0] if shift else x[0, rows]
            optimizer.zero_grad()
            F.cross_entropy(module(points.unflatten(1, net.row)), targets[rows]).backward()
            optimizer.step()


def grouped(networks: int, steps: int) -> None:
    """The CNN of all networks as one net: convolutions in groups, dense layers as batched products."""
    first, second, third = CHANNELS
    kernels = [(networks * out, into, 3, 3) for out, into in ((first, 1), (second, first), (third, second))]
    dense = [(networks, 4 * third, 256), (networks, 256, CLASSES)]
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
    """Random points as rows, and classes: [E, n, d], [E, n, 10]."""
    x = torch.randn(networks, POINTS, prod(row))
    return x, F.one_hot(torch.randint(CLASSES, (networks, POINTS)), CLASSES).float()


def weights_of(net: ModuleNet, networks: int) -> list[Tensor]:
    weights = [STD * torch.randn(networks, 1, *matrix) for matrix in net.weight_shapes]
    for buffer in weights[len(net.parameters) :]:
        buffer.fill_(1.0)
    return weights


@cache
def net_of(name: str) -> ModuleNet:
    """`net_of` returns a net by its name; by autograd where the name says so."""
    if name.startswith("plain "):
        net = net_of(name.removeprefix("plain "))
        return ByAutograd(net.module, net.row, channels_last=net.channels_last)
    if name == "ResNet18":
        return resnet18.build({"batch_norm": True}, (3, 32, 32), CLASSES)
    if name == "dense":
        return dense.build({"hidden": [256, 256]}, (64,), CLASSES)
    return cnn.build({"channels": CHANNELS, "hidden": 256, "batch_norm": False}, (1, 8, 8), CLASSES)


def milliseconds(way: Way, networks: int, steps: int) -> float:
    """Per step of one network, without what comes before the first step and after the last."""
    torch.set_num_threads(1)
    times = []
    for length in (steps, 3 * steps):
        begun = time.process_time()
        way(length)
        times.append(time.process_time() - begun)
    return 1e3 * (times[1] - times[0]) / (2 * steps * networks)


def row(name: str, ways: dict[str, Way], networks: int, steps: int, rounds: int) -> str:
    """Milliseconds of a step of one network by the engine, and how many times as long the others take."""
    with ExitStack() as processes:
        own = get_context("spawn")
        pools = [processes.enter_context(ProcessPoolExecutor(1, own)) for _ in ways]
        turns = [
            [
                pool.submit(milliseconds, way, networks, steps).result()
                for pool, way in zip(pools, ways.values(), strict=True)
            ]
            for _ in range(rounds + 1)  # the first one is to warm up
        ][1:]
    ratios = zip(*([other / one for other in others] for one, *others in turns), strict=True)
    medians = dict(zip(list(ways)[1:], map(statistics.median, ratios), strict=True))
    cells = [f"{medians[way]:.2f}" if way in medians else "–" for way in WAYS]
    return (
        f"| {name} | {networks} | {statistics.median(one for one, *_ in turns):.2f} | {' | '.join(cells)} |"
    )


def comparison(rounds: int = 9) -> Iterator[str]:
    """`comparison` yields the lines of the table of ways."""
    yield "| network | networks | engine, ms | nn.Module loop | by autograd | vmapped | grouped |"
    yield "|---|---|---|---|---|---|---|"
    for title, name, shift in (("CNN", "CNN", 0), ("CNN, images shifted", "CNN", 1), ("dense", "dense", 0)):
        ways = {
            "engine": partial(engine, name, 1, False, shift),
            "loop": partial(loop, name, 1, shift),
            "autograd": partial(engine, f"plain {name}", 1, False, shift),
        }
        yield row(title, ways, 1, 100, rounds)
    ways = {
        "engine": partial(engine, "CNN", 10, False, 0),
        "loop": partial(loop, "CNN", 10, 0),
        "vmapped": partial(engine, "plain CNN", 10, True, 0),
        "grouped": partial(grouped, 10),
    }
    yield row("CNN", ways, 10, 20, max(1, rounds // 3))
    ways = {"engine": partial(engine, "ResNet18", 1, False, 0), "loop": partial(loop, "ResNet18", 1, 0)}
    yield row("ResNet18", ways, 1, 1, 3)


# Profiles


def profile_of_engine(steps: int = 400) -> Iterator[str]:
    """`profile_of_engine` yields the lines of the table of a step's parts."""
    net = net_of("CNN")
    ensemble, (x, y) = Ensemble(net), data(net.row, 1)
    rate = {"lr": torch.tensor([RATE])}
    stack = stacked(net.trained, weights_of(net, 1), x, y, [], rate, keeps_start=False)
    passes = BoundPasses(ensemble, stack, cross_entropy.loss)
    times: dict[str, list[float]] = {}

    def timed(name: str, call: Callable[..., object]) -> Callable[..., object]:
        def timing(*given: object) -> object:
            begun = time.thread_time()
            result = call(*given)
            times.setdefault(name, []).append(1e6 * (time.thread_time() - begun))
            return result

        return timing

    passes.batch(batch(0)[None])
    (bound,) = passes.batches.values()
    layers: list[Layer] = bound.parts[0][0].forward[0].__self__.layers
    for layer in layers:
        for way in ("forward", "multiply", "backward", "kernel_gradient"):
            if hasattr(layer, way):
                setattr(layer, way, timed(f"{layer.name} {way}", getattr(layer, way)))
    bound.loss = timed("loss", bound.loss)
    take = timed("optimizer", gd.step)
    whole = timed(
        "whole", lambda step: (passes.batch(batch(step)[None]), take(theta, gradient, [], stack.numbers, 1))
    )
    theta, gradient = stack.theta, stack.gradient
    look = timed("look", lambda: ensemble.forward(stack.weights, x[:, :FIRST_LOOK]))
    for step in range(steps):
        whole(step)
        if step % (POINTS // BATCH) == 0:
            look()
    medians = {name: statistics.median(each) for name, each in times.items()}
    yield "| part of a step | µs | forward | its product, GFLOP/s | back | its product, GFLOP/s |"
    yield "|---|---|---|---|---|---|"
    rest = medians["whole"]
    for layer in layers:
        forward, back = (medians[f"{layer.name} {way}"] for way in ("forward", "backward"))
        rates = ["", ""]
        if isinstance(layer, Convolution | Linear):
            of = (medians[f"{layer.name} {way}"] for way in ("multiply", "kernel_gradient"))
            rates = [f"{each:.0f}, {2e-3 * multiplications(layer) / each:.0f}" for each in of]
        rest -= forward + back
        cells = (f"{forward + back:.0f}", f"{forward:.0f}", rates[0], f"{back:.0f}", rates[1])
        yield f"| {layer.name} {type(layer).__name__} | {' | '.join(cells)} |"
    for name in ("loss", "optimizer"):
        rest -= medians[name]
        yield f"| {name} | {medians[name]:.0f} | | | | |"
    yield f"| batch, copies, calls | {rest:.0f} | | | | |"
    yield f"| whole step | {medians['whole']:.0f} | | | | |"
    yield f"| a pass of a look at {FIRST_LOOK} points | {medians['look']:.0f} | | | | |"
    yield f"\nA product of two 2048 × 2048 matrices in the same process: {best_rate():.0f} GFLOP/s."


def multiplications(layer: Convolution | Linear) -> float:
    """Of a layer's product, for all points."""
    pixels = layer.above.value.numel() / layer.above.value.shape[1]
    inputs = layer.kernel[0].numel() if isinstance(layer, Convolution) else layer.below.value.shape[1]
    return layer.above.value.shape[1] * pixels * inputs


def best_rate(size: int = 2048) -> float:
    a, b, out = (torch.randn(1, size, size) for _ in range(3))
    call, best = products.product(a, b, out), float("inf")
    for _ in range(5):
        begun = time.process_time()
        call()
        best = min(best, time.process_time() - begun)
    return 2e-9 * size**3 / best


def profile_of_loop(steps: int = 200, most: int = 10) -> Iterator[str]:
    """`profile_of_loop` yields the lines of the table of the operations that take a user's loop longest."""
    loop("CNN", 1, 0, 50)
    with profile(activities=[ProfilerActivity.CPU]) as measured:
        loop("CNN", 1, 0, steps)
    averages = sorted(measured.key_averages(), key=lambda each: -each.self_cpu_time_total)
    total = sum(each.self_cpu_time_total for each in averages)
    yield "| operation of the loop | µs a step | % |"
    yield "|---|---|---|"
    for each in averages[:most]:
        share = 100 * each.self_cpu_time_total / total
        yield f"| `{each.key}` | {each.self_cpu_time_total / steps:.0f} | {share:.0f} |"
    yield f"| all | {total / steps:.0f} | 100 |"


def main() -> None:
    torch.set_num_threads(1)
    libraries = {
        f"{each['internal_api']} {each.get('architecture', '')}".strip() for each in threadpool_info()
    }
    print(f"PyTorch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}; {', '.join(libraries)};")
    print(f"products by {products.described()}\n")
    for lines in (comparison, profile_of_engine, profile_of_loop):
        for line in lines():
            print(line, flush=True)
        print()


if __name__ == "__main__":
    main()
