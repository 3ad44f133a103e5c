"""Whether the parametrization `mup` is one: python benchmarks/coordinate_check.py [figure.png]

The coordinate check of arXiv:2203.03466, Appendix D.1: how much the outputs of each layer of a dense net move
in a few steps of Adam and of gradient descent, over its width. Under `mup` that is of order one at any width;
under `standard` it grows. Slopes of log size in log width are printed; the figure shows the sizes.
"""

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from minima.engine import draws
from minima.engine.core import Recipe, train
from minima.engine.ensemble import Ensemble
from minima.engine.inits import kaiming
from minima.engine.losses import mse
from minima.engine.models import dense
from minima.engine.networks.module import ModuleNet
from minima.engine.record import Rules
from minima.findings.style import GUIDE, SERIES, panels, save, styled
from minima.forms import degree

WIDTHS = (64, 128, 256, 512, 1024)
BASE = 64
RATES = {"gd": {"lr": 0.02}, "adam": {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}}
STEPS, SEEDS = 5, 3
FEATURES, OUTPUTS, POINTS = 64, 10, 32
LAYERS = ("first layer", "second layer", "output")


def net_of(parametrization: str, optimizer: str, width: int) -> ModuleNet:
    """`net_of` returns a dense net with two hidden layers."""

    def built(width: int) -> ModuleNet:
        return dense.build({"hidden": [width, width]}, (FEATURES,), OUTPUTS)

    asked = {"parametrization": parametrization}
    return built(width).asked(asked, lambda: built(BASE), degree(optimizer))


def outputs_of(net: ModuleNet, weights: list[Tensor], x: Tensor) -> list[Tensor]:
    """`outputs_of` returns what each linear layer gives at x [n, d], weights [1, 1, out, in]."""
    found: list[Tensor] = []
    layers = [layer for layer in net.module if isinstance(layer, nn.Linear)]
    hooks = [layer.register_forward_hook(lambda _, __, out: found.append(out.clone())) for layer in layers]
    with torch.no_grad():
        net.alone([weight[0, 0] for weight in weights], x)
    for hook in hooks:
        hook.remove()
    return found


def moved(parametrization: str, optimizer: str, width: int, seed: int) -> list[float]:
    """`moved` returns the root mean square by which the outputs of each layer move in a few steps."""
    generator = np.random.default_rng(seed)
    x = torch.tensor(generator.standard_normal((POINTS, FEATURES)))
    y = torch.tensor(generator.standard_normal((POINTS, OUTPUTS)))
    net = net_of(parametrization, optimizer, width)
    drawn = draws.start(kaiming, net, {"scale": 1.0}, seed, x.numpy())
    weights = [torch.as_tensor(weight)[None] for weight in drawn]
    start = outputs_of(net, weights, x)
    numbers = {name: torch.tensor([value], dtype=x.dtype) for name, value in RATES[optimizer].items()}
    recipe = Recipe(import_module(f"minima.engine.optimizers.{optimizer}"), numbers, mse.loss)
    never = torch.tensor([-1.0], dtype=x.dtype)
    (done,) = train(Ensemble(net), weights, x[None], y[None], recipe, Rules(never, never, STEPS, [], []))
    end = outputs_of(net, [weight[None] for weight in done.weights], x)
    return [float((b - a).square().mean().sqrt()) for a, b in zip(start, end, strict=True)]


def rows() -> Iterator[dict]:
    """`rows` yields how far each layer's outputs move, for all networks."""
    for optimizer in RATES:
        for parametrization in ("standard", "mup"):
            for width in WIDTHS:
                sizes = [moved(parametrization, optimizer, width, seed) for seed in range(SEEDS)]
                for layer, size in zip(LAYERS, np.mean(sizes, 0), strict=True):
                    yield {
                        "optimizer": optimizer,
                        "parametrization": parametrization,
                        "layer": layer,
                        "width": width,
                        "size": size,
                    }


def slope(table: pd.DataFrame) -> float:
    """`slope` returns that of log size in log width."""
    return float(np.polyfit(np.log(table.width), np.log(table["size"]), 1)[0])


def draw(table: pd.DataFrame, path: Path) -> None:
    """`draw` writes the figure: a panel per optimizer and parametrization, a line per layer."""
    with styled():
        figure, axes = panels(1, 4, width=2.4)
        groups = table.groupby(["optimizer", "parametrization"], sort=False)
        for ax, ((optimizer, parametrization), own) in zip(axes[0], groups, strict=True):
            for (layer, line), look in zip(own.groupby("layer", sort=False), SERIES, strict=False):
                ax.loglog(
                    line.width, line["size"], look.dash, color=look.colour, marker=look.marker, label=layer
                )
            ax.axvline(BASE, **GUIDE)
            ax.set(title=f"{optimizer}, {parametrization}", xlabel="width")
        axes[0][0].set_ylabel(f"change of outputs in {STEPS} steps")
        axes[0][0].legend()
        save(figure, path)


def main() -> None:
    torch.set_num_threads(1)
    table = pd.DataFrame(rows())
    print("| optimizer | parametrization |", *(f"{layer} |" for layer in LAYERS))
    print("|" + "---|" * (2 + len(LAYERS)))
    for (optimizer, parametrization), own in table.groupby(["optimizer", "parametrization"], sort=False):
        slopes = [slope(own[own.layer == layer]) for layer in LAYERS]
        print(f"| {optimizer} | {parametrization} |", *(f"{each:+.2f} |" for each in slopes))
    if len(sys.argv) > 1:
        draw(table, Path(sys.argv[1]))


if __name__ == "__main__":
    main()
