"""The study `networks` in worlds whose truth is known: every claim is supported where it is true and not
where it is not, estimands are the numbers they say, figures draw them."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
import xarray as xr
from tests.unit.helpers import draw_figure
from tests.unit.worlds import CLAIMED, config

from minima.findings.claims import judge
from minima.findings.dataset import fixed_fields
from minima.findings.drawing import read_table
from minima.findings.stats import NotEstimable
from minima.netcdf import tree_encoding, write_atomically
from minima.plan.digest import canonical
from minima.plan.workplan import Plan
from minima.streams import stream
from studies.networks import estimands as networks
from studies.networks.figures import distance_vs_step, distance_vs_width
from studies.networks.steps import by_step, methods

pytestmark = pytest.mark.filterwarnings("error")
POINTS = 60
FIGURES = {
    "distance_vs_step": (distance_vs_step, "small_steps"),
    "distance_vs_width": (distance_vs_width, "optimizers"),
}
CLAIMS = {claim.id: claim for claim in CLAIMED if claim.study == "networks"}


@cache
def blocks():
    return Plan(config() | {"run": ["networks"]}).blocks_of("networks")


@cache
def axis(split, name):
    """A direction of rms 1 in function space; those of `NAMES` are at right angles."""
    names = ("limit", "adaptive", "batches", "bent", "step", "missed", "start")
    basis, _ = np.linalg.qr(stream(split, "basis").standard_normal((POINTS, len(names))))
    return np.sqrt(POINTS) * basis[:, names.index(name)]


@dataclass(frozen=True)
class World:
    """What is true; the defaults are what the claims say. The flow of a network ends at `limit`, of adaptive
    methods `shift` further along `adaptive`, and training `coarse` η^order beyond it along `step`."""

    shift: float = 0.15
    batching: float = 0.06
    bent: float = 0.16  # from the linearization's limit to the network's
    order: float = 1.0
    coarse: float = 0.04  # distance from the flow at the greatest step
    missed: float = 0.008  # of the prediction at the step
    foreseen: float = 1.0  # predicted shift over the true one
    turned: float = 0.0  # predicted shift's part in another direction, over the shift
    of_start: float = 0.2  # between the minimizers of two starts
    straight: float = 0.4  # share of the shift that the linearization has; the rest is its own

    def tree(self):
        nodes = {}
        for name, grid in blocks().items():
            dims = tuple(one.dimension for one in grid.axes)
            coords = {one.dimension: np.array(one.labels) for one in grid.axes}
            labels = [dict(zip(dims, at, strict=True)) for at in np.ndindex(*grid.shape)]
            labels = [{dim: coords[dim][i] for dim, i in at.items()} for at in labels]
            found = [self._network(cell, at) for cell, at in zip(grid.cells, labels, strict=True)]

            def shaped(values, *inner, grid=grid, dims=dims, coords=coords):
                values = np.array(values).reshape(*grid.shape, *np.shape(values)[1:])
                return xr.DataArray(values, coords, (*dims, *inner))

            status = shaped(["converged"] * len(found))
            rate = shaped([of["rate"] for of in found])
            test = shaped([of["trained"] for of in found], "point", "output")
            trained = xr.Dataset({"test": test, "status": status, "learning_rate": rate})
            splits = [cell.split for cell in grid.cells][: grid.shape[-1]]
            if len(set(splits)) < len(splits):
                trained = trained.assign_coords(split=("seed", splits))
            nodes[f"trained/{name}"] = trained.assign_attrs(fixed=canonical(fixed_fields(grid)))
            names = list(grid.cells[0]["predict"])
            predictor = xr.DataArray(names, dims="predictor", name="predictor")
            each = [shaped([of[p] for of in found], "point", "output") for p in names]
            nodes[f"predicted/{name}"] = xr.concat(each, predictor).to_dataset(name="test")
        return xr.DataTree.from_dict(nodes)

    def _network(self, cell, labels):
        how, split, seed = cell["optimizer"], cell.split, cell["seed"]
        adapts, mini = how["name"] in ("adagrad", "adam", "rmsprop"), (how["batch_size"] or 40) < 40
        limit, adaptive, batches, bent, step, missed, start = (
            axis(split, name) for name in ("limit", "adaptive", "batches", "bent", "step", "missed", "start")
        )
        fraction = {"": 1.0, "η": 1.0, "η/2": 0.5, "η/4": 0.25}
        share = fraction[str(labels["optimizer"]).partition(" ")[2]]
        own = (-1) ** seed * self.of_start / 2 * start
        moved = adapts * (self.shift * adaptive + mini * self.batching * batches)
        turned = self.turned * np.linalg.norm(moved) / np.sqrt(POINTS) * missed
        flow = limit + own + self.foreseen * moved + turned
        net = limit + own + moved + self.coarse * share**self.order * step
        beyond = net - moved + self.foreseen * moved + turned
        linear = limit + self.bent * bent
        aside = np.sqrt(1 - self.straight**2)
        moved_linear = adapts * self.shift * (self.straight * adaptive + aside * start)
        rate = how["lr"] if isinstance(how["lr"], float) else how["lr"]["relative"] * (1 + seed % 7)
        found = {
            "trained": net,
            "linearized": linear,
            "adagrad_flow": linear + self.shift * (self.straight * adaptive + aside * start),
            "adaptive_flow": linear + moved_linear,
            "network_flow": flow,
            "network_at_step": beyond + self.missed * missed,
        }
        return {name: f[:, None] for name, f in found.items()} | {"rate": rate}


@pytest.fixture(scope="module")
def tree():
    return World().tree()


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_is_supported_where_it_is_true(name, tree):
    found = judge(CLAIMS[name], tree)
    assert found["verdict"] == "supported", found
    assert found["control"]["outcome"] in ("holds", "none")


@pytest.mark.parametrize(
    ("name", "world"),
    [
        ("net-1", {"order": 0.5}),
        ("net-1", {"order": 2.0}),
        ("net-1", {"bent": 0.0, "straight": 1.0, "of_start": 0.0}),
        ("net-2", {"missed": 0.03}),
        ("net-2", {"bent": 0.01, "of_start": 0.01, "missed": 0.015}),
        ("net-2", {"of_start": 0.05}),
        ("net-1b", {"order": 0.5}),
        ("net-3b", {"foreseen": 0.7}),
        ("net-3", {"foreseen": 0.7}),
        ("net-3", {"foreseen": 1.4}),
        ("net-3", {"turned": 0.7}),
        ("net-3", {"straight": 0.95}),
        ("net-4", {"missed": 0.03}),
        ("net-4", {"bent": 0.01, "of_start": 0.01, "missed": 0.015}),
    ],
    ids=str,
)
def test_a_claim_is_not_supported_where_it_is_not(name, world):
    """One thing at a time is untrue, or a control fails."""
    assert judge(CLAIMS[name], World(**world).tree())["verdict"] != "supported"


# Estimands


def test_a_slope_is_that_of_the_world(tree):
    """Of absolute rates, and of relative ones, which differ between seeds but by a factor."""
    for method in ("gd", "adam"):
        found = networks.slope_in_step(World(order=0.8).tree(), "small_steps", method, "network_flow")
        assert found.statistic(found.values) == pytest.approx(0.8, abs=0.01)
    with pytest.raises(NotEstimable, match="lion"):
        networks.slope_in_step(tree, "small_steps", "lion", "network_flow")


def test_a_network_is_compared_with_the_prediction_of_the_other_start(tree):
    """Of two starts on the same data each is the other's; without such a pair there is no answer."""
    found = networks.times_farther_from_another_start(tree, "starts", "network_at_step")
    assert len(found.values) == tree["trained/starts"].sizes["seed"]
    np.testing.assert_allclose(found.values, np.hypot(0.2, 0.008) / 0.008, rtol=1e-6)
    with pytest.raises(NotEstimable, match="data of its own"):
        networks.times_farther_from_another_start(tree, "optimizers", "network_at_step")
    nodes = {node.path: node.to_dataset(inherit=False) for node in tree.subtree}
    alone = xr.DataTree.from_dict(
        {
            path: node.isel(seed=slice(1, None)) if "seed" in node.dims else node
            for path, node in nodes.items()
        }
    )
    with pytest.raises(NotEstimable, match="no other seed has the data of seed"):
        networks.times_farther_from_another_start(alone, "starts", "network_at_step")


def test_the_worst_of_all_networks_counts(tree):
    """One data set on which a prediction is wrong moves what is said of all; a seed with a network that did
    not converge is left out."""
    nodes = {node.path: node.to_dataset(inherit=False).copy(deep=True) for node in tree.subtree}
    place = {"data": "digits_4_9", "optimizer": "gd", "seed": 401}
    nodes["/predicted/other_data"].test.loc[place | {"predictor": "network_at_step"}] *= 1.5
    nodes["/trained/other_data"].status.loc[place | {"seed": 403}] = "stopped"
    found = networks.farthest(
        xr.DataTree.from_dict(nodes), "other_data", "network_at_step", {"optimizer": "gd"}
    )
    assert found.owners.tolist() == [400, 401, 402, 404]
    assert found.values[1] > 0.4
    assert found.values[[0, 2, 3]].max() < 0.01
    least = networks.times_farther(
        xr.DataTree.from_dict(nodes), "other_data", "network_at_step", "linearized"
    )
    assert least.values[1] < 1 < 3 < least.values[0]


# Figures


def test_steps_are_told_by_their_rates(tree):
    """Methods in the order of the axis, their steps as shares of the greatest rate."""
    trained = tree["trained/small_steps"].to_dataset()
    assert methods(trained) == ["gd", "heavy_ball", "sgd", "adagrad", "adam"]
    for method in methods(trained):
        found = by_step(trained.learning_rate, trained, method)
        np.testing.assert_allclose(found.share, [1, 0.5, 0.25])


def test_tables_have_the_worlds_numbers(tree):
    table = distance_vs_step.tabulate(tree, "small_steps").set_index(["panel", "series", "x"])
    size = np.sqrt(1 + 0.1**2 + 0.15**2)
    assert table.estimate["adagrad", "network_flow", 0.25] == pytest.approx(0.01 / size, rel=1e-3)
    table = distance_vs_width.tabulate(tree, "optimizers").set_index(["panel", "series", "x"])
    assert table.estimate["adam", "network_at_step", 4096] == pytest.approx(
        0.008 / np.hypot(size, 0.04), rel=1e-6
    )
    assert set(table.index.get_level_values("panel")) == set(tree["trained/optimizers"].optimizer.values)


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("status", ["converged", "stopped"])
def test_figures_are_drawn_whatever_converged(name, status, tree, tmp_path):
    """Table, PNG and SVG without a warning; a caption that says what points and bands are."""
    module, block = FIGURES[name]
    node = tree[f"trained/{block}"].to_dataset()
    predicted = tree[f"predicted/{block}"].to_dataset()
    other = xr.DataTree.from_dict(
        {
            f"trained/{block}": node.assign(status=xr.full_like(node.status, status)),
            f"predicted/{block}": predicted,
        }
    )
    write_atomically(other, tmp_path / "dataset.nc", encoding=tree_encoding(other))
    files = [tmp_path / f"figure.{kind}" for kind in ("csv", "png", "svg")]
    draw_figure(module.__name__, (block,), tmp_path / "dataset.nc", files[0], files[1:])
    assert files[1].read_bytes().startswith(b"\x89PNG")
    assert len(read_table(files[0]))
    assert "over seeds" in module.CAPTION
