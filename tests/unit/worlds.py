"""Studies of which the truth is known: datasets in the shape of the committed config, filled by formula.

In every world the targets are ±1, the interpolant f_int misses them by 0.3 and the initialization's share is
f_init = 0.3 (σ/σ*)^H g, with g at right angles to the miss: MSE(σ) = 0.09 (1 + (σ/σ*)^{2H}), exactly twice
0.09 at σ*.
"""

import json
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import yaml

from minima.findings.claims import judge
from minima.plan.digest import canonical
from minima.plan.grid import Cell, Grid
from minima.plan.layers import lay
from minima.plan.register import NoControl, read_registers
from minima.plan.workplan import Plan
from minima.streams import stream

ROOT = Path(__file__).parents[2]
STUDIES = ROOT / "workflow_scripts" / "studies"
CLAIMED = read_registers({path: path.parent.name for path in sorted(STUDIES.glob("*/claims.yaml"))})
REGISTER = {claim.id: claim for claim in CLAIMED if claim.study == "init_size"}
CLAIMS = list(REGISTER)
CONTROLLED = [name for name, claim in REGISTER.items() if not isinstance(claim.control, NoControl)]
POINTS = 100
MISS = 0.3
PREDICTORS = {
    "width": ["linearized", "interpolant", "linearized_gd"],
    "shares": ["linearized", "interpolant"],
    "starts": ["linearized", "interpolant"],
    "channels": ["linearized", "interpolant"],
}
REFERENCES = ["ntk", "ntk alpha=0.001", "rbf gamma=0.0156"]


@dataclass(frozen=True)
class World:
    """What is true; the defaults are what the paper claims."""

    seeds: int = 10
    laziness: float = -0.5  # ‖net − linearized‖/‖linearized‖ ∝ width^laziness
    gd_error: float = 1e-8  # relative distance of step-by-step training from its closed form
    share: float = 1.0  # of the initialization: 0 where it does not matter
    size: float = 0.98  # the trained networks' share over the linearized ones'
    power: float = 0.0  # trained networks' share grows as σ^(H + power)
    closed_power: float = 0.0  # the linearized ones' as σ^(H + closed_power)
    leak: tuple[str, ...] = ()  # schemes that fail to take the initialization's share out
    star: float = 1.5  # σ* as networks have it
    star_predicted: float = 1.5  # σ* as kernels predict it
    untrained: float = 20.0  # mean f₀² over V, as kernels predict it
    drawn: float = 1.0  # mean f₀² as networks have it, over that prediction

    def tree(self) -> xr.DataTree:
        nodes: dict[str, xr.Dataset] = {"/": xr.Dataset(attrs={"title": "A world"})}
        for name, grid in blocks().items():
            trained, predicted = self._networks(name, grid)
            nodes[f"trained/{name}"], nodes[f"predicted/{name}"] = trained, predicted
            if grid.cells[0]["network"]["kind"] == "mlp":
                nodes[f"reference/{name}"] = self._references(grid)
        return xr.DataTree.from_dict(nodes)

    def share_at(self, sigma: float, depth: int) -> float:
        """rms of the initialization's share."""
        return self.share * MISS * (sigma / self.star) ** depth

    def _networks(self, name: str, grid: Grid) -> tuple[xr.Dataset, xr.Dataset]:
        predictors = PREDICTORS.get(name, ["linearized"])
        found = [self._network(name, cell) for cell in grid.cells]
        dims = tuple(axis.dimension for axis in grid.axes)
        coords = {axis.dimension: np.array(axis.labels) for axis in grid.axes}

        def shaped(key: str) -> xr.DataArray:
            values = np.stack([functions[key] for functions in found]).reshape(*grid.shape, POINTS, 1)
            return xr.DataArray(values, coords, (*dims, "point", "output"))

        trained = xr.Dataset({"test": shaped("net"), "start_test": shaped("start")})
        predictor = xr.DataArray(predictors, dims="predictor", name="predictor")
        predicted = xr.concat([shaped(key) for key in predictors], predictor).to_dataset(name="test")
        targets = xr.DataArray(
            np.stack([miss_and_targets(seed)[1] for seed in coords["seed"].tolist()])[..., None],
            dims=("seed", "point", "output"),
        )
        trained, predicted = (with_errors(node.assign(target_test=targets)) for node in (trained, predicted))
        trained["status"] = (dims, np.full(grid.shape, "converged", dtype="U16"))
        kept = {"seed": slice(self.seeds)}
        return trained.assign_attrs(fixed=canonical(fixed(grid))).isel(kept), predicted.isel(kept)

    def _network(self, name: str, cell: Cell) -> dict[str, np.ndarray]:
        """What one network and its predictions answer at the test points."""
        seed, (network, init) = cell["seed"], (cell["network"], cell["init"])
        depth, width, sigma = network.get("depth", 5), network.get("width", 0), init["scale"]
        width = width or network["channels"][0]
        miss, y = miss_and_targets(seed)
        f_int = y + MISS * miss
        gaussian = init["scheme"] in ("gaussian", "kaiming")
        direction = across(seed, depth, width) * (-1 if init["flip"] else 1)
        f_init = self.share_at(sigma, depth) * direction
        linearized = f_int + gaussian * sigma**self.closed_power * f_init
        reaches = gaussian or init["scheme"] in self.leak
        net = f_int + reaches * self.size * sigma**self.power * f_init
        distance = 0.5 * width**-0.5
        if name in ("width", "channels"):
            net, distance = linearized, 0.5 * 8 ** (-2 * self.laziness - 1) * width**self.laziness
        label = f"noise {name} {depth} {width} {sigma} {init['flip']} {init['scheme']}"
        noise = unit(stream(seed, label).standard_normal(POINTS))
        distance *= 1 + 0.1 * stream(seed, f"size of {label}").uniform(-1, 1)
        return {
            "net": net + distance * rms(linearized) * noise,
            "start": gaussian * np.sqrt(self.drawn * self.untrained) * f_init,
            "linearized": linearized,
            "interpolant": f_int,
            "linearized_gd": linearized * (1 + self.gd_error),
        }

    def _references(self, grid: Grid) -> xr.Dataset:
        """Along depth, where that is an axis, and the seed."""
        axes = [axis for axis in grid.axes if axis.dimension in ("depth", "seed")]
        labels = {axis.dimension: list(axis.labels) for axis in axes}
        labels["seed"] = labels["seed"][: self.seeds]
        shape = tuple(map(len, labels.values()))
        depths = np.array(labels.get("depth", [grid.cells[0]["network"]["depth"]]), dtype=float)
        share = MISS**2 / self.star_predicted ** (2 * depths)
        share = np.broadcast_to(share[:, None, None], (len(depths), len(labels["seed"]), POINTS))
        share = share.reshape(*shape, POINTS)
        mse = np.full((*shape, len(REFERENCES)), 2 * MISS**2)
        mse[..., 0] = MISS**2
        return xr.Dataset(
            {
                "test_mse": ((*labels, "reference"), mse),
                "limit_variance": ((*labels, "point"), share),
                "start_variance": ((*labels, "point"), self.untrained * share),
            },
            coords=labels | {"reference": REFERENCES},
        )


@cache
def config() -> dict[str, Any]:
    """The committed config."""
    return yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))


@cache
def studies() -> dict[str, Any]:
    """The committed studies as their folders and the committed config have them."""
    return lay(config()).config["studies"]


@cache
def blocks(study: str = "init_size") -> dict[str, Grid]:
    """The committed config's blocks of a study."""
    return Plan(config()).blocks_of(study)


def fixed(grid: Grid) -> dict[str, Any]:
    """The first cell's fields without those on an axis."""
    fields = deepcopy(grid.cells[0].values)
    for axis in grid.axes:
        section, *key = axis.path.split(".")
        fields[section].pop(*key) if key else fields.pop(section)
    return fields


@cache
def miss_and_targets(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the interpolant is wrong, of rms 1, and the targets."""
    draw = stream(seed, "targets")
    return unit(draw.standard_normal(POINTS)), draw.choice([-1.0, 1.0], POINTS)


@cache
def across(seed: int, depth: int, width: int) -> np.ndarray:
    """A direction of rms 1 at right angles to the interpolant's miss."""
    miss, _ = miss_and_targets(seed)
    drawn = stream(seed, f"share {depth} {width}").standard_normal(POINTS)
    return unit(drawn - miss * (miss @ drawn) / POINTS)


def rms(values: np.ndarray) -> float:
    return float(np.sqrt((values**2).mean()))


def unit(values: np.ndarray) -> np.ndarray:
    return values / rms(values)


def with_errors(node: xr.Dataset) -> xr.Dataset:
    """Squared errors and errors of ±1 classes, NaN where there is no prediction."""
    f, y = node.test, node.target_test
    wrong = ((f > 0) != (y > 0)).where(f.notnull())
    over = ("point", "output")
    return node.assign(test_mse=((f - y) ** 2).mean(over), test_error=wrong.mean(over))


def verdict_of(name: str, tree: xr.DataTree) -> dict[str, Any]:
    """On a claim of init_size, as it can be written down."""
    found = judge(REGISTER[name], tree)
    json.dumps(found, allow_nan=False)
    return found


def spoiled(tree: xr.DataTree, status: str, seeds: list[int]) -> xr.DataTree:
    """The tree with one network of these seeds (by position) in every block ended otherwise: NaN where it
    diverged or is missing, absurd where it was stopped."""
    nodes = {node.path: node.to_dataset(inherit=False) for node in tree.subtree}
    for path, node in nodes.items():
        if not path.startswith("/trained/"):
            continue
        node = node.copy(deep=True)
        *others, _ = (range(size) for size in node.status.shape)
        place = {dim: list(rows)[-1] for dim, rows in zip(node.status.dims, others, strict=False)}
        for seed in seeds:
            if seed < node.sizes["seed"]:
                where = place | {"seed": seed}
                node.status[where] = status
                node.test[where] = 1e9 if status == "stopped" else np.nan
        nodes[path] = with_errors(node)
    return xr.DataTree.from_dict(nodes)


def without(tree: xr.DataTree, *paths: str) -> xr.DataTree:
    """The tree without these nodes."""
    nodes = {node.path: node.to_dataset(inherit=False) for node in tree.subtree}
    return xr.DataTree.from_dict({path: node for path, node in nodes.items() if path[1:] not in paths})


def changed(tree: xr.DataTree, path: str, node: xr.Dataset) -> xr.DataTree:
    """The tree with another dataset at `path`."""
    nodes = {node.path: node.to_dataset(inherit=False) for node in tree.subtree}
    return xr.DataTree.from_dict(nodes | {f"/{path}": node})
