"""Estimands of `init_size`: each is the number its docstring says, of those seeds that count, or a reason."""

import json

import numpy as np
import pytest
import xarray as xr
from tests.unit.worlds import MISS, POINTS, World, blocks, changed, rms, spoiled, without

from minima import store
from minima.findings import dataset
from minima.findings.measures import converged, fixed, half_difference, last_rise, power_of_scale
from minima.findings.measures import rms as rms_over_points
from minima.findings.placing import place
from minima.findings.stats import NotEstimable
from minima.plan.marks import variables
from minima.plan.register import known_estimands
from studies.init_size import estimands as init_size

pytestmark = pytest.mark.filterwarnings("error")
WIDE = {"width": 256}
# Every estimand as some claim asks for it.
ASKED = {
    "slope_in_width": {"block": "width", "to": "linearized", "select": {"scale": 1}},
    "gap": {"block": "width", "between": ["linearized_gd", "linearized"]},
    "share_slope": {"block": "pairs", "select": {"depth": 3}},
    "excess_ratio": {"block": "pairs", "select": {"depth": 3}},
    "increase": {"block": "scale", "scales": [1, 3], "measure": "test_mse", "select": WIDE},
    "growth": {"block": "scale", "scales": [1, 3], "select": WIDE},
    "variance_ratio": {"block": "crossing", "source": "trained", "select": {"scale": 2}},
    "crossing_ratio": {"block": "crossing", "centred": "crossing_centred"},
    "crossing_place": {"block": "twins", "centred": "twins_centred"},
    "variance_place": {"block": "starts", "source": "linearized"},
}


@pytest.fixture(scope="module")
def tree():
    return World().tree()


def ask(name, tree, **changes):
    return getattr(init_size, name)(tree, **ASKED[name] | changes)


def estimate(sample):
    return sample.statistic(sample.values)


def test_every_estimand_is_asked_here():
    assert {name for name in known_estimands() if name.startswith("init_size.")} == {
        f"init_size.{name}" for name in ASKED
    }


def test_the_worlds_have_the_shape_of_datasets(tree):
    """Dimensions, labels and fixed fields of synthetic studies are those that `findings.dataset` makes."""
    for name, grid in blocks().items():
        values = {
            "status": "converged",
            "test": np.zeros((POINTS, 1)),
            "linearized_test": np.zeros((POINTS, 1)),
        }
        cells = [(store.Identity(cell.digest, cell.json, "data", "code"), values) for cell in grid.cells]
        real = place(grid, [store.to_dataset(cells, {"step": [0], "level": [0.1]}, variables())])
        made = tree[f"trained/{name}"].to_dataset()
        for variable in ("test", "status"):
            wanted = {
                dim: min(size, 10) if dim == "seed" else size for dim, size in real[variable].sizes.items()
            }
            assert dict(made[variable].sizes) == wanted
            assert made[variable].dims == real[variable].dims
        for dim in real.test.dims[:-2]:
            assert real[dim].values[: made.sizes[dim]].tolist() == made[dim].values.tolist()
        assert json.loads(made.attrs["fixed"]) == dataset.fixed_fields(grid)
        assert set(tree[f"predicted/{name}"].ds.test.dims) == {*made.test.dims, "predictor"}


def test_distances_are_root_mean_squares_over_points_and_outputs():
    """In function space; a point without a prediction makes the distance unknown."""
    functions = xr.DataArray(np.arange(12.0).reshape(2, 3, 2), dims=("seed", "point", "output"))
    expected = np.sqrt((functions.values.reshape(2, -1) ** 2).mean(1))
    np.testing.assert_allclose(rms_over_points(functions), expected)
    functions[0, 0, 0] = np.nan
    assert np.isnan(rms_over_points(functions).values).tolist() == [True, False]


def test_the_half_difference_is_the_part_that_flips():
    """f± = a ± b gives b, whatever the order of the axis."""
    a, b = np.random.default_rng(0).normal(size=(2, 5))
    pair = xr.DataArray([a - b, a + b], {"flip": [True, False]}, ("flip", "point"))
    np.testing.assert_allclose(half_difference(pair), b)


def test_fixed_fields_are_those_that_no_axis_varies(tree):
    block = tree["trained/strategies"].to_dataset()
    assert fixed(block, "network", "width") == 256
    with pytest.raises(KeyError):
        fixed(block, "init", "scheme")


def test_converged_needs_its_axes(tree):
    """Where an axis is not in the grid the claim is not estimable, and the message names the axis."""
    block = tree["trained/scale"].to_dataset()
    assert converged(block, "scale").dims == ("width", "seed")
    with pytest.raises(KeyError, match="axis flip"):
        converged(block, "scale", "flip")


# Right numbers


def test_the_slope_in_width_is_that_of_the_mean_log_curve(tree):
    """Least squares of the mean over seeds of log ‖net − p‖/‖p‖, against log width."""
    sample = ask("slope_in_width", tree)
    trained, predicted = tree["trained/width"].ds.sel(scale=1), tree["predicted/width"].ds.sel(scale=1)
    widths, curves = trained.width.values, []
    for seed in trained.seed.values:
        nets = trained.test.sel(seed=seed).values[..., 0]
        limits = predicted.test.sel(seed=seed, predictor="linearized").values[..., 0]
        curves.append([rms(net - limit) / rms(limit) for net, limit in zip(nets, limits, strict=True)])
    x = np.log(widths) - np.log(widths).mean()
    slope = (x * np.log(curves).mean(0)).sum() / (x**2).sum()
    assert estimate(sample) == pytest.approx(slope, rel=1e-10)
    np.testing.assert_allclose(sample.values, np.log(curves), rtol=1e-10)


@pytest.mark.parametrize("laziness", [-1.0, -0.5, 0.0, 0.25])
def test_the_slope_in_width_is_the_truth(laziness):
    assert estimate(ask("slope_in_width", World(laziness=laziness).tree())) == pytest.approx(
        laziness, abs=0.03
    )


@pytest.mark.parametrize("depth", [2, 3, 4])
@pytest.mark.parametrize("power", [-1.0, 0.0, 0.5])
def test_the_share_grows_as_its_power_of_sigma(depth, power):
    """σ^(H + power), per H: the off-by-one power is told from the right one."""
    tree = World(power=power, closed_power=power).tree()
    asked = {"over": depth, "select": {"depth": depth}}
    assert estimate(ask("share_slope", tree, **asked)) == pytest.approx(1 + power / depth, abs=0.03)
    closed = ask("share_slope", tree, source="linearized", select={"depth": depth})
    assert estimate(closed) == pytest.approx(depth + power, rel=1e-12)


def test_the_excess_is_what_the_initialization_adds_to_a_pairs_error(tree):
    """mean MSE of the pair = MSE of its mean + mean ((f₊ − f₋)/2)², of nets and closed form alike."""
    sample = ask("excess_ratio", tree)
    excess = []
    for kind in ("trained", "predicted"):
        block = tree[f"{kind}/pairs"].ds.sel(depth=3)
        block = block.sel(predictor="linearized") if kind == "predicted" else block
        mean = block.test.mean("flip")
        of_mean = ((mean - block.target_test) ** 2).mean(("point", "output"))
        excess.append((block.test_mse.mean("flip") - of_mean).transpose("seed", "scale").values)
    ratio = np.exp(np.log(excess[0] / excess[1]).mean(1))
    np.testing.assert_allclose(sample.values, ratio, rtol=1e-9)
    assert ratio.mean() == pytest.approx(0.98**2, rel=0.05)


@pytest.mark.parametrize("measure", ["test_mse", "test_error"])
def test_the_increase_is_a_difference_per_seed(tree, measure):
    """At the second σ minus at the first."""
    values = tree["trained/scale"].ds[measure].sel(width=256)
    expected = (values.sel(scale=3) - values.sel(scale=1)).values
    np.testing.assert_array_equal(ask("increase", tree, measure=measure).values, expected)
    back = ask("increase", tree, measure=measure, scales=[3, 1])
    np.testing.assert_array_equal(back.values, -expected)


def test_the_growth_is_a_ratio_of_means(tree):
    """Not a mean of ratios, which a seed with an easy split would rule; and the truth of the world."""
    sample = ask("growth", tree)
    mse = tree["trained/scale"].ds.test_mse.sel(width=256)
    assert estimate(sample) == pytest.approx(float(mse.sel(scale=3).mean() / mse.sel(scale=1).mean()))
    share = [(0.98 * World().share_at(sigma, 3)) ** 2 for sigma in (1, 3)]
    truth = (MISS**2 + share[1]) / (MISS**2 + share[0])
    assert estimate(sample) == pytest.approx(truth, rel=0.05)


def test_the_gap_is_the_largest_over_the_block():
    """Per seed, of all widths and scales: one wrong network in the grid shows."""
    tree = World(gd_error=1e-9).tree()
    np.testing.assert_allclose(ask("gap", tree).values, 1e-9, rtol=1e-6)
    block = tree["predicted/width"].to_dataset().copy(deep=True)
    wrong = {"predictor": 2, "width": 1, "scale": 1, "seed": 4}
    block.test[wrong] = 1.5 * block.test[wrong | {"predictor": 0}]
    gaps = ask("gap", changed(tree, "predicted/width", block)).values
    assert gaps[4] == pytest.approx(0.5)
    assert np.delete(gaps, 4).max() < 1e-8


@pytest.mark.parametrize("star", [1.4, 1.5, 1.8])
@pytest.mark.parametrize("predicted", [1.0, 1.5])
def test_the_crossing_is_measured_over_predicted(star, predicted):
    """σ* where the twins' MSE is twice the centred one, over (MSE_int/V)^{1/2H}; V = mean f₀² misses it."""
    tree = World(star=star, star_predicted=predicted, size=1.0).tree()
    assert estimate(ask("crossing_ratio", tree)) == pytest.approx(star / predicted, rel=0.05)
    off = estimate(ask("crossing_ratio", tree, variance="start_variance"))
    assert off == pytest.approx(20 ** (1 / 6) * star / predicted, rel=0.05)


@pytest.mark.parametrize(("predicted", "untrained"), [(1.5, 20), (1.5, 3), (1.2, 20)])
def test_the_crossing_has_a_place_between_its_two_predictions(predicted, untrained):
    """0 at the V that training leaves, 1 at mean f₀², whatever lies between them; σ* here is beyond 1.5 by
    what the trained share is smaller."""
    world = World(star_predicted=predicted, untrained=untrained)
    factor = untrained ** (1 / 6)
    wanted = np.log(world.star / world.size ** (1 / 3) / predicted) / -np.log(factor)
    found = ask("crossing_place", world.tree())
    assert estimate(found) == pytest.approx(wanted, abs=0.04 / np.log(factor))
    assert len(found.values) == 10
    one = world.tree()["trained/twins"].to_dataset().isel(scale=[0])
    with pytest.raises(NotEstimable, match="two values"):
        ask("crossing_place", changed(world.tree(), "trained/twins", one))


@pytest.mark.parametrize("size", [1.0, 0.05])
def test_the_variance_has_a_place_between_its_two_predictions(tree, size):
    """Of the share 0; of the function at the start 1, or where its square is smaller by that factor 0. It is
    the mean over seeds of which the logarithm is taken."""
    assert estimate(ask("variance_place", tree)) == pytest.approx(0, abs=1e-9)
    start = ask("variance_place", World(drawn=size).tree(), source="start")
    assert estimate(start) == pytest.approx(1 + np.log(size) / np.log(20), abs=1e-9)
    node = tree["trained/starts"].to_dataset().copy(deep=True)
    node.start_test[{"seed": slice(5)}] = 0
    half = ask("variance_place", changed(tree, "trained/starts", node), source="start")
    assert estimate(half) == pytest.approx(1 + np.log(0.5) / np.log(20), abs=1e-9)


def test_a_seed_whose_error_does_not_cross_is_not_passed_over(tree):
    """It would be the one in which the initialization costs least, or most."""
    block = tree["trained/crossing"].to_dataset().copy(deep=True)
    block.test_mse[{"seed": 3}] = 0.1
    with pytest.raises(NotEstimable, match="does not rise"):
        ask("crossing_ratio", changed(tree, "trained/crossing", block))


@pytest.mark.parametrize("size", [0.7, 1.0])
@pytest.mark.parametrize("sigma", [1.25, 2])
def test_the_variance_is_measured_over_predicted(size, sigma):
    """V of trained twins, which falls with the square of their share, at every σ; of linearized ones, 1."""
    tree = World(size=size).tree()
    found = ask("variance_ratio", tree, select={"scale": sigma})
    assert estimate(found) == pytest.approx(size**2, rel=0.05)
    closed = ask("variance_ratio", tree, block="shares", source="linearized", select={"width": 1024})
    np.testing.assert_allclose(closed.values, 1, rtol=1e-9)
    far = World(size=size, star_predicted=2.0).tree()
    assert estimate(ask("variance_ratio", far)) == pytest.approx(size**2 * (2 / 1.5) ** 6, rel=0.05)


@pytest.mark.parametrize("activation", ["erf", "tanh"])
def test_networks_without_a_power_of_sigma_have_no_predicted_crossing(tree, activation):
    """(MSE_int/V)^{1/2H} is for homogeneous networks."""
    block = tree["trained/crossing"].to_dataset()
    other = block.assign_attrs(fixed=block.attrs["fixed"].replace('"relu"', f'"{activation}"'))
    for name in ("crossing_ratio", "variance_ratio"):
        with pytest.raises(NotEstimable, match="ReLU and linear"):
            ask(name, changed(tree, "trained/crossing", other))
    assert power_of_scale(other, {}) is None
    assert power_of_scale(block.assign_attrs(fixed="{}"), {"network": "one of several"}) is None
    assert power_of_scale(block, {}) == 3
    assert power_of_scale(tree["trained/pairs"].to_dataset(), {"depth": 4}) == 4


@pytest.mark.parametrize(
    ("curve", "crossing"),
    [
        ([1, 2, 4, 8], np.sqrt(8)),  # y = σ: at the level itself
        ([1, 4, 16, 64], 8**0.25),  # y = σ²
        ([8, 4, 2, 1], np.nan),  # falls
        ([4, 1, 8, 16], 2.0 * 2 ** (0.5)),  # falls, then rises
        ([1, 4, 1, 4], np.nan),
        ([3, 4, 5, 6], np.nan),  # above from the start
        ([1, 1, 1, 1], np.nan),
        ([np.nan] * 4, np.nan),
    ],
)
def test_where_a_curve_rises_through_a_level(curve, crossing):
    """Log-log interpolated at its last rise; a curve that never rises through it has no crossing."""
    scales, level = np.array([1.0, 2.0, 4.0, 8.0]), np.sqrt(8)
    if curve == [1, 4, 1, 4]:  # rises twice: the last time between 4 and 8
        crossing = 4 * 2 ** (np.log(level) / np.log(4))
    if curve == [4, 1, 8, 16]:
        crossing = 2 * 2 ** (np.log(level) / np.log(8))
    found = last_rise(scales, np.array(curve, dtype=float), level)
    np.testing.assert_allclose(found, crossing, rtol=1e-12)


# Who counts


@pytest.mark.parametrize("name", [name for name in ASKED if name not in ("gap", "variance_place")])
@pytest.mark.parametrize("status", ["diverged", "stopped", "missing"])
def test_a_seed_counts_where_all_its_networks_converged(name, status, tree):
    """The others' values are as they were; the note says how many were left out."""
    asked = {
        "slope_in_width": {"select": {"scale": 2}},  # the places that `spoiled` spoils: the last ones
        "share_slope": {"select": {"depth": 4}},
        "excess_ratio": {"select": {"depth": 4}},
    }.get(name, {})
    before, after = ask(name, tree, **asked), ask(name, spoiled(tree, status, [0, 2]), **asked)
    np.testing.assert_array_equal(after.values, np.delete(before.values, [0, 2], axis=0))
    assert before.note == ""
    assert after.note == f"2 of {len(before.values)} seeds left out: not all of their networks converged"


def test_networks_elsewhere_in_the_grid_do_not_matter(tree):
    """A network that diverged at a width or σ that is not asked for leaves every seed in."""
    block = tree["trained/scale"].to_dataset().copy(deep=True)
    block.status[{"width": 0}] = "diverged"  # width 64
    block.status[{"width": 1, "scale": 0}] = "diverged"  # σ = 0.5
    found = ask("increase", changed(tree, "trained/scale", block))
    assert found.note == ""
    np.testing.assert_array_equal(found.values, ask("increase", tree).values)


def test_a_pair_counts_with_its_centred_twin(tree):
    """Where the centred network did not converge the seed's crossing is unknown as well."""
    block = tree["trained/crossing_centred"].to_dataset().copy(deep=True)
    block.status[{"seed": 3}] = "stopped"
    found = ask("crossing_ratio", changed(tree, "trained/crossing_centred", block))
    assert len(found.values) == 9
    assert found.note.startswith("1 of 10 seeds")


# Blocks that do not fit together


def test_blocks_with_other_seeds_are_joined_by_seed(tree):
    """Fewer seeds in one block, or in another order: each seed meets itself, not its position."""
    wanted = ask("crossing_ratio", tree).values
    fewer = tree["trained/crossing_centred"].to_dataset().isel(seed=[7, 2, 5])
    found = ask("crossing_ratio", changed(tree, "trained/crossing_centred", fewer)).values
    np.testing.assert_array_equal(np.sort(found), np.sort(wanted[[2, 5, 7]]))


def test_one_split_for_all_seeds(tree):
    """Data that no seed redraws have references without a seed: they serve every seed."""
    reference = tree["reference/crossing"].to_dataset()
    for name in ("crossing_ratio", "variance_ratio"):
        one = ask(name, changed(tree, "reference/crossing", reference.isel(seed=0, drop=True)))
        np.testing.assert_allclose(one.values, ask(name, tree).values, rtol=1e-12)


@pytest.mark.parametrize("name", ["slope_in_width", "share_slope", "excess_ratio", "increase", "growth"])
def test_an_axis_that_is_left_is_named(name, tree):
    """Several widths are no units of replication: what is not selected must be."""
    dim = {"slope_in_width": "scale", "share_slope": "depth", "excess_ratio": "depth"}.get(name, "width")
    with pytest.raises(NotEstimable, match=f"select one value of {dim}"):
        ask(name, tree, select=None)


@pytest.mark.parametrize(
    ("changes", "axis"),
    [({"block": "pairs"}, "depth"), ({"centred": "strategies"}, "scheme")],
)
def test_the_crossing_names_an_axis_that_is_left(changes, axis, tree):
    with pytest.raises(NotEstimable, match=f"select one value of .*{axis}"):
        ask("crossing_ratio", tree, **changes)


@pytest.mark.parametrize("name", ASKED)
def test_a_place_outside_the_grid_is_named(name, tree):
    """A config with other widths or scales gets a reason to read, not pandas' own."""
    select = ASKED[name].get("select", {"scale": 1})
    for dim in select:
        with pytest.raises(
            NotEstimable, match=f"not in the dataset: {dim} 77 of block {ASKED[name]['block']}"
        ):
            ask(name, tree, select=select | {dim: 77})


@pytest.mark.parametrize("name", ["increase", "growth"])
def test_a_scale_outside_the_grid_is_named(name, tree):
    with pytest.raises(NotEstimable, match=r"scale \[1, 2\.75\] of block scale"):
        ask(name, tree, scales=[1, 2.75])


def test_what_all_cells_share_can_be_selected(tree):
    """No axis of `strategies` is the width: 256 is what its networks have, and 64 is not."""
    asked = {"block": "strategies", "measure": "test_mse"}
    found = ask("increase", tree, select={"scheme": "centred", "width": 256}, **asked)
    np.testing.assert_array_equal(found.values, ask("increase", tree, select=CENTRED_ONLY, **asked).values)
    with pytest.raises(NotEstimable, match="width 64 of block strategies"):
        ask("increase", tree, select={"scheme": "centred", "width": 64}, **asked)
    with pytest.raises(NotEstimable, match="colour red of block strategies"):
        ask("increase", tree, select={"scheme": "centred", "colour": "red"}, **asked)


CENTRED_ONLY = {"scheme": "centred"}


NEEDS = {
    "slope_in_width": ["trained", "predicted"],
    "gap": ["trained", "predicted"],
    "share_slope": ["trained"],
    "excess_ratio": ["trained", "predicted"],
    "increase": ["trained"],
    "growth": ["trained"],
    "variance_ratio": ["trained", "reference"],
    "crossing_ratio": ["trained", "reference"],
}


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name, kinds in NEEDS.items() for kind in kinds])
def test_a_missing_block_is_a_key_error(name, kind, tree):
    """Which the judge turns into `not in the dataset`; it names the block."""
    gone = without(tree, f"{kind}/{ASKED[name]['block']}")
    with pytest.raises(KeyError, match=ASKED[name]["block"]):
        ask(name, gone)


def test_a_slope_needs_two_places(tree):
    block = {kind: tree[f"{kind}/width"].to_dataset().isel(width=[0]) for kind in ("trained", "predicted")}
    for kind, node in block.items():
        tree = changed(tree, f"{kind}/width", node)
    with pytest.raises(NotEstimable, match="a slope in width needs two values of it"):
        ask("slope_in_width", tree)


@pytest.mark.parametrize("name", ["share_slope", "excess_ratio"])
@pytest.mark.parametrize("axis", ["scale", "flip"])
def test_an_axis_that_the_grid_does_not_have_is_named(name, axis, tree):
    """A block without σ or without twins as an axis is not estimable; it is no crash."""
    for kind in ("trained", "predicted"):
        node = tree[f"{kind}/pairs"].to_dataset().isel({axis: 0}, drop=True)
        tree = changed(tree, f"{kind}/pairs", node)
    with pytest.raises((KeyError, NotEstimable), match=axis):
        ask(name, tree)


def test_a_share_of_zero_has_no_slope(tree):
    """Twins that agree to the last bit have no logarithm; the linear algebra must not be asked."""
    block = tree["trained/centred_pairs"].to_dataset().copy(deep=True)
    block.test[{"flip": 1, "scale": 1}] = block.test[{"flip": 0, "scale": 1}].values
    with pytest.raises(NotEstimable, match="no logarithm"):
        ask("share_slope", changed(tree, "trained/centred_pairs", block), block="centred_pairs", select=None)


def test_a_prediction_that_is_missing_has_no_gap(tree):
    """NaN where step-by-step training did not come to its residual: not passed over."""
    block = tree["predicted/width"].to_dataset().copy(deep=True)
    block.test[{"predictor": 2, "width": 1, "scale": 1, "seed": 4}] = np.nan
    with pytest.raises(NotEstimable, match="linearized_gd or linearized is missing"):
        ask("gap", changed(tree, "predicted/width", block))
    with pytest.raises(NotEstimable, match="predictor imagined of block width"):
        ask("gap", tree, between=["imagined", "linearized"])
