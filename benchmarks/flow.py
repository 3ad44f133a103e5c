"""Gradient flow's integrator against gradient descent: python benchmarks/flow.py [--seeds 2] [--only relu]

Digits 3 against 8, 40 points, three layers, residual 1e-3, one process on one thread. Gradient descent,
in the form that a job takes, has rates of 0.2, 0.1 and 0.05 of the stability edge 2/λmax: 0.1 of the
edge is 0.2/λmax. A row: steps of the flow and of gradient descent at 0.1; how many times as fast the
flow is as gradient descent at 0.2 (`×0.2`) and at 0.1 (`×0.1`), in CPU time; and relative differences
on 200 test points: of the flow to gradient descent at each rate, to its own limit (`limit`: rates 0.1
and 0.05 extrapolated to 0) and to itself at a tenth of the tolerance (`tol/10`), and of gradient
descent at 0.1 to the limit (`0.1–lim`), which says how much may be asked. Medians over seeds stand
below each setting.
"""

import argparse
import os
import statistics
import time
from dataclasses import replace

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from minima.engine import flow
from minima.engine.core import Finished, Recipe, Rules, train
from minima.engine.draws import gaussian
from minima.engine.ensemble import Ensemble
from minima.engine.jacobians import tangent_kernel
from minima.engine.losses import mse
from minima.engine.networks import gram
from minima.engine.networks.mlp import MLP
from minima.engine.optimizers import gd

POINTS, TESTS, RESIDUAL = 40, 200, 1e-3
SETTINGS = [("tanh", 256, 1.0), ("relu", 256, 2.0), ("relu", 256, 1.0), ("relu", 256, 0.5)]
WIDE = [("tanh", 1024, 1.0), ("relu", 1024, 1.0)]
RATES = (0.2, 0.1, 0.05)
TOLERANCES = (1e-2, 4e-3, 1e-3)
HEAD = (
    "activation width   σ  seed     tol  steps GD steps  ×0.2  ×0.1  "
    "to 0.2  to 0.1 to 0.05   limit  tol/10 0.1–lim"
)


def digits(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """x and y of the training points, x of the test points, as stacks of one network."""
    x, y = load_digits(return_X_y=True)
    rows = np.random.default_rng(seed).permutation(np.flatnonzero((y == 3) | (y == 8)))[: POINTS + TESTS]
    x = torch.tensor(x[rows] / np.linalg.norm(x[rows], axis=1, keepdims=True) * 8)[None]
    labels = torch.tensor(np.where(y[rows] == 3, -1.0, 1.0)[:, None])[None]
    return x[:, :POINTS], labels[:, :POINTS], x[:, POINTS:]


def one(value: float) -> Tensor:
    return torch.tensor([value], dtype=torch.float64)


def measure(activation: str, width: int, scale: float, seed: int) -> list[tuple[float, ...]]:
    """A row per tolerance."""
    x, y, tests = digits(seed)
    ensemble = Ensemble(MLP((x.shape[2], width, width, 1), activation, "ntk"))
    shapes, stds = ensemble.model.weight_shapes, [scale] * 3
    weights = [torch.tensor(layer)[None] for layer in gaussian(shapes, stds, seed)]
    edge = 2 * POINTS / float(torch.linalg.eigvalsh(tangent_kernel(ensemble, weights, x, POINTS)[0])[-1])
    rules = Rules(one(RESIDUAL), one(-1.0), 10**7, [0], [])

    def at_tests(done: Finished) -> Tensor:
        f, _ = ensemble.forward([weight[None] for weight in done.weights], tests)
        return f

    def descent(rate: float) -> tuple[float, int, Tensor]:
        begin = time.process_time()
        form = gram.into(ensemble, [weight.clone() for weight in weights], x)
        recipe = Recipe(gd, {"lr": one(rate * edge)}, mse.loss)
        (done,) = train(form.ensemble, form.weights, form.x, y, recipe, rules)
        seconds = time.process_time() - begin
        return seconds, done.steps, at_tests(replace(done, weights=form.out(done.weights, 0)))

    def flowing(tolerance: float) -> tuple[float, int, Tensor]:
        begin = time.process_time()
        (done,) = flow.train_flow(ensemble, weights, x, y, one(tolerance), rules)
        return time.process_time() - begin, done.steps, at_tests(done)

    def apart(f: Tensor, g: Tensor) -> float:
        return float((f - g).norm() / g.norm())

    descents = {rate: descent(rate) for rate in RATES}
    ends = [end for _, _, end in descents.values()]
    limit = 2 * ends[2] - ends[1]
    rows = []
    for tolerance in TOLERANCES:
        seconds, steps, f = flowing(tolerance)
        _, _, finer = flowing(tolerance / 10)
        rows.append(
            (
                tolerance,
                steps,
                descents[0.1][1],
                descents[0.2][0] / seconds,
                descents[0.1][0] / seconds,
                *(apart(f, end) for end in ends),
                apart(f, limit),
                apart(f, finer),
                apart(ends[1], limit),
            )
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--wide", action="store_true", help="width 1024 too: minutes a row")
    parser.add_argument("--only", default="", help="only settings of this activation")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(HEAD)
    for activation, width, scale in SETTINGS + (WIDE if options.wide else []):
        if not activation.startswith(options.only):
            continue
        name = f"{activation:10} {width:5} {scale:3}"
        by_seed = [measure(activation, width, scale, seed) for seed in range(options.seeds)]
        for seed, rows in enumerate(by_seed):
            for row in rows:
                print(name, f"{seed:5}", line(row), flush=True)
        for rows in zip(*by_seed, strict=True):
            print(name, "  med", line([statistics.median(column) for column in zip(*rows, strict=True)]))


def line(row) -> str:
    tolerance, steps, descents, fast, faster, *distances = row
    return f"{tolerance:7.0e} {steps:6.0f} {descents:8.0f} {fast:5.1f} {faster:5.1f} " + " ".join(
        f"{distance:7.1e}" for distance in distances
    )


if __name__ == "__main__":
    main()
