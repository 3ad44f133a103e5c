"""Gradient flow's integrator against gradient descent: python benchmarks/flow.py [--seeds 2] [--wide]

Digits 3 against 8, 40 points, three layers, residual 1e-3. Each row: how many times as fast as gradient
descent at 0.2 (`×0.2`) and at 0.05 (`×0.05`) of the stability edge the flow is, in one process on one thread,
and how far (relative difference on 200 test points) it ends from both; `0.2–0.05` is their own distance, and
`tol/10` the flow's from itself at a tenth of the tolerance. Medians over seeds stand below each setting.
"""

import argparse
import os
import statistics
import time

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from minima.engine.core import Finished, Recipe, Rules, train
from minima.engine.ensemble import Ensemble
from minima.engine.inits.scheme import gaussian
from minima.engine.models.mlp import MLP
from minima.engine.optimizers import flow, gd
from minima.engine.tangent import tangent_kernel

POINTS, TESTS, RESIDUAL = 40, 200, 1e-3
SETTINGS = [("tanh", 256, 1.0), ("relu", 256, 2.0), ("relu", 256, 1.0), ("relu", 256, 0.5)]
WIDE = [("tanh", 1024, 1.0), ("relu", 1024, 1.0)]
TOLERANCES = (4e-3, 2e-3, 1e-3)


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

    def ended(finished) -> tuple[float, Finished, Tensor]:
        begin = time.perf_counter()
        (done,) = finished
        seconds = time.perf_counter() - begin
        f, _ = ensemble.forward([weight[None] for weight in done.weights], tests)
        return seconds, done, f

    def descent(rate: float) -> tuple[float, Finished, Tensor]:
        copy = [weight.clone() for weight in weights]
        return ended(train(ensemble, copy, x, y, Recipe(gd, {"lr": one(rate * edge)}), rules))

    def flowing(tolerance: float) -> tuple[float, Finished, Tensor]:
        return ended(flow.train_flow(ensemble, weights, x, y, one(tolerance), rules))

    def apart(f: Tensor, g: Tensor) -> float:
        return float((f - g).norm() / g.norm())

    coarse, fine = descent(0.2), descent(0.05)
    rows = []
    for tolerance in TOLERANCES:
        found, finer = flowing(tolerance), flowing(tolerance / 10)
        f = found[2]
        rows.append(
            (
                tolerance,
                found[1].steps,
                coarse[1].steps,
                coarse[0] / found[0],
                fine[0] / found[0],
                apart(f, coarse[2]),
                apart(f, fine[2]),
                apart(coarse[2], fine[2]),
                apart(f, finer[2]),
            )
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--wide", action="store_true", help="width 1024 too: minutes a row")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("activation width   σ  seed     tol  steps GD steps  ×0.2 ×0.05  to 0.2 to 0.05 0.2–0.05  tol/10")
    for activation, width, scale in SETTINGS + (WIDE if options.wide else []):
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
