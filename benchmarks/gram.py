"""Where the Gram form of the first layer pays: python benchmarks/gram.py

Gradient descent in float32 on stacks of up to eight networks, as a job would form them: how many times as
long the plain form takes as the Gram form, at n points for d features. CPU seconds of one thread, in turns,
medians of three. `pays` in minima.engine.networks.gram takes its bound from here.
"""

import os
import statistics
import time

os.environ["OMP_NUM_THREADS"] = "1"

import torch

from minima.engine.core import Recipe, train
from minima.engine.ensemble import Ensemble
from minima.engine.losses import mse
from minima.engine.networks import gram as gram_form
from minima.engine.networks.mlp import MLP
from minima.engine.optimizers import gd
from minima.engine.record import Rules
from minima.training.memory import stack_size

NETS = [(2, 64, 64), (2, 64, 256), (2, 64, 1024), (2, 256, 256), (2, 784, 256)]
NETS += [(3, 64, 64), (3, 64, 256), (3, 256, 256), (3, 784, 256)]
POINTS_PER_FEATURE = (0.5, 1.0, 1.25, 1.5, 1.75, 2.0)
WORK = 1e9  # multiplications a turn, about: fractions of a second


def seconds(model: MLP, points: int, gram: bool) -> float:
    """Per step of one network."""
    shapes = gram_form.shapes(model, points) if gram else model.weight_shapes
    networks = min(8, stack_size(shapes, 1, points, "float32", torch.device("cpu")))
    steps = max(10, round(WORK / networks / points / sum(out * into for out, into in model.weight_shapes)))
    torch.manual_seed(0)
    weights = [torch.randn(networks, 1, out, into) / into**0.5 for out, into in model.weight_shapes]
    x, y = torch.randn(networks, points, model.sizes[0]), torch.randn(networks, points, 1)
    start = Ensemble(model), weights, x
    if gram:
        form = gram_form.into(*start)
        start = form.ensemble, form.weights, form.x
    each = torch.ones(networks, dtype=torch.float64)
    rules = Rules(0 * each, -each, steps, [], [])
    begun = time.process_time()
    list(train(*start, y, Recipe(gd, {"lr": 1e-3 * each}, mse.loss), rules))
    return (time.process_time() - begun) / steps / networks


def main() -> None:
    torch.set_num_threads(1)
    print("| depth | d | h |", *(f"n = {ratio} d |" for ratio in POINTS_PER_FEATURE))
    print("|" + "---|" * (3 + len(POINTS_PER_FEATURE)))
    for depth, features, width in NETS:
        model = MLP((features, *[width] * (depth - 1), 1), "relu", "standard")
        row = []
        for ratio in POINTS_PER_FEATURE:
            points = round(ratio * features)
            turns = [(seconds(model, points, False), seconds(model, points, True)) for _ in range(3)]
            row.append(statistics.median(plain / gram for plain, gram in turns))
        print(f"| {depth} | {features} | {width} |", *(f"{ratio:.2f} |" for ratio in row), flush=True)


if __name__ == "__main__":
    main()
