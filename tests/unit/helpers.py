"""What the engine's tests share: small cells from the plan, random data, and a net written naively."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from pydantic import TypeAdapter
from torch import Tensor

from minima.data.files import save
from minima.data.prepare import prepared as make
from minima.engine.draws import gaussian
from minima.engine.ensemble import Ensemble
from minima.engine.networks.mlp import MLP
from minima.findings.drawing import draw, write_table
from minima.plan import parts
from minima.plan.config import Block
from minima.plan.files import data_file
from minima.plan.grid import Cell, Grid, expand
from minima.plan.marks import PredictorOfMargin
from minima.plan.recipes import DataRecipe
from minima.streams import stream
from minima.training.cells import train_cells
from minima.training.start import Arrays

CPU = torch.device("cpu")
RECIPE = {"source": "sphere_teacher", "dimension": 5, "train_size": 8, "test_size": 6}
PHI: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "erf": torch.erf,
    "tanh": torch.tanh,
    "linear": lambda a: a,
}


def draw_figure(
    module: str, blocks: Sequence[str], dataset: Path, table: Path, pictures: Sequence[Path]
) -> None:
    """Table and pictures of one figure, from the dataset's file."""
    with xr.open_datatree(dataset, engine="netcdf4") as tree:
        write_table(module, blocks, tree, table)
    draw(module, table, pictures)


def grid(axes: Mapping[str, Any] | None = None, seed: Any = 0, recipe: Any = None, **sections: Any) -> Grid:
    """A block as a config would have it, expanded; sections not named keep the config's defaults."""
    block = Block.model_validate({"data": "toy", "axes": axes or {}, "seed": seed, **sections})
    recipe = recipe if "source" in (recipe or {}) else RECIPE | (recipe or {})
    return expand(block, {"toy": TypeAdapter(DataRecipe).validate_python(recipe)})


def cells(axes: Mapping[str, Any] | None = None, seed: Any = 0, **sections: Any) -> list[dict[str, Any]]:
    """The fields of the cells of a block."""
    return [cell.values for cell in grid(axes, seed, **sections).cells]


def cell(seed: int = 0, **sections: Any) -> dict[str, Any]:
    """The fields of one cell."""
    return cells(seed=seed, **sections)[0]


def predictors(loss: str = "mse") -> list[str]:
    """The names of all predictors that know a loss: the squared error, or one without minimizer."""
    known = parts.options("predictors").items()
    if loss != "mse":
        return [name for name, predictor in known if not predictor.only_mse]
    return [name for name, predictor in known if not issubclass(predictor, PredictorOfMargin)]


def arrays(points: int = 8, outputs: int = 1, features: int = 5, tests: int = 6, seed: int = 0) -> Arrays:
    """Random data on the sphere of radius √features, with targets of order one."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(points + tests, features))
    x *= np.sqrt(features) / np.linalg.norm(x, axis=1, keepdims=True)
    y = rng.normal(size=(points + tests, outputs))
    return Arrays(x[:points], y[:points], x[points:], y[points:])


def trained(cells: Sequence[Mapping[str, Any]], splits: Sequence[Arrays] | Arrays) -> list[dict[str, Any]]:
    """Results of all cells, in the order of the cells."""
    if isinstance(splits, Arrays):
        splits = [splits] * len(cells)
    done = list(train_cells(cells, splits, CPU))
    assert sorted(result.position for result in done) == list(range(len(cells)))
    return [result.values for result in sorted(done, key=lambda result: result.position)]


def weights(model: MLP, networks: int, copies: int = 1, seed: int = 0, scale: float = 1.0) -> list[Tensor]:
    """Random weights [E, K, out, in] per layer, no two alike."""
    stds = [scale * std for std in model.draw_stds]
    drawn = [gaussian(model.weight_shapes, stds, 1000 * seed + i) for i in range(networks * copies)]
    return [
        torch.tensor(np.concatenate(layer)).unflatten(0, (networks, copies))
        for layer in zip(*drawn, strict=True)
    ]


def naive(weights: Sequence[Tensor], x: Tensor, activation: str, parametrization: str) -> Tensor:
    """f of one network, as anyone would write it: weights [out, in] per layer, x [n, d]."""
    h = x
    for layer, weight in enumerate(weights):
        a = h @ weight.T / (weight.shape[1] ** 0.5 if parametrization == "ntk" else 1)
        h = PHI[activation](a) if layer < len(weights) - 1 else a
    return h


def naive_ensemble(ensemble: Ensemble, weights: Sequence[Tensor], x: Tensor) -> Tensor:
    """f = Σ_k c_k f_k of one network with copies: weights [K, out, in] per layer, x [n, d]."""
    model = ensemble.model
    return sum(
        c * naive([weight[k] for weight in weights], x, model.activation, model.parametrization)
        for k, c in enumerate(ensemble.readout)
    )


def jacobian(ensemble: Ensemble, weights: Sequence[Tensor], x: Tensor) -> Tensor:
    """∂f/∂θ [n·outputs, parameters] of one network, by autograd; rows by point, then output."""
    by_layer = torch.func.jacrev(lambda w: naive_ensemble(ensemble, w, x))(list(weights))
    return torch.cat([layer.flatten(2).flatten(0, 1) for layer in by_layer], dim=1)


def prepared(path: Path, splits: Iterable[int] = (0,), recipe: Mapping[str, Any] = RECIPE) -> Path:
    """A file of prepared data: the toy recipe's, or another's."""
    save(make(recipe, list(splits), "."), path)
    return path


def files_of(cells: Iterable[Cell], path: Path) -> dict[str, Path]:
    """The data files of the cells, by name, where one file holds all their splits."""
    return {data_file(cell).name: path for cell in cells}


def relative_difference(a, b):
    """The largest difference between two results of training, relative to each variable's size."""
    assert a.keys() == b.keys()
    assert a["status"] == b["status"]
    worst = 0.0
    for name in a.keys() - {"status", "device", "products"}:
        one, other = np.asarray(a[name], float), np.asarray(b[name], float)
        assert np.array_equal(np.isnan(one), np.isnan(other)), name
        size = np.nanmax(np.abs(other), initial=0)
        # a quantity that is 0 up to rounding has no relative accuracy
        worst = max(worst, float(np.nanmax(np.abs(one - other), initial=0) / max(size, 1e-3)))
    return worst


def first_weights(seed=0, width=16, depth=3, outputs=2):
    """Weights [1, out, in] of a gaussian cell, drawn by hand."""
    model = MLP((5, *[width] * (depth - 1), outputs), "relu", "ntk")
    return model, [
        torch.tensor(stream(seed, f"weights/{layer}").standard_normal((1, *shape)))
        for layer, shape in enumerate(model.weight_shapes)
    ]
