"""Figures draw what their tables say, and the tables say what the dataset has."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats
from tests.unit.helpers import RECIPE, draw_figure

from minima.findings.drawing import read_table
from minima.findings.figures import error_vs_scale
from minima.findings.style import LOOKS
from minima.netcdf import string_encoding, write_atomically
from minima.plan import stamps
from minima.plan.workplan import Plan
from studies.init_size.figures import distance_vs_width, share_vs_scale

pytestmark = pytest.mark.filterwarnings("error")
SCALES, WIDTHS, SEEDS = [0.5, 1.0, 2.0], [16, 64], list(range(6))
DEPTH = 3
FIXED = {"network": {"activation": "relu", "depth": DEPTH, "width": 16}}


def study(across=True, classes=True, beside=False, reference=False):
    """A dataset as a study's: random errors; at each σ one network stopped, diverged or is missing."""
    rng = np.random.default_rng(0)
    dims = ("width", "scale", "seed") if across else ("scale", "seed")
    coords = {"width": WIDTHS, "scale": SCALES, "seed": SEEDS}
    coords = {dim: coords[dim] for dim in dims}
    shape = tuple(len(labels) for labels in coords.values())

    def errors(dims, shape):
        found = {"test_mse": (dims, np.exp(rng.normal(size=shape)))}
        return found | ({"test_error": (dims, rng.uniform(size=shape))} if classes else {})

    status = np.full(shape, "converged", dtype="U9")
    status[..., 0, 1], status[..., 1, 2], status[..., 2, 3] = "stopped", "diverged", "missing"
    fixed = {"fixed": json.dumps(FIXED)}
    trained = xr.Dataset(errors(dims, shape) | {"status": (dims, status)}, coords=coords, attrs=fixed)
    for name in ("test_mse", "test_error")[: 1 + classes]:
        trained[name] = trained[name].where(~trained.status.isin(["diverged", "missing"]))
    predicted = xr.Dataset(
        errors(("predictor", *dims), (2, *shape)),
        coords=coords | {"predictor": ["linearized", "interpolant"]},
    )
    nodes = {"trained/main": trained, "predicted/main": predicted}
    if beside:
        schemes = ["centred", "antisymmetric"]
        shape = (2, len(SCALES), len(SEEDS))
        nodes["trained/other"] = xr.Dataset(
            errors(("scheme", "scale", "seed"), shape)
            | {"status": (("scheme", "scale", "seed"), np.full(shape, "converged"))},
            coords={"scheme": schemes, "scale": SCALES, "seed": SEEDS},
            attrs=fixed,
        )
    if reference:
        nodes["reference/main"] = xr.Dataset(
            {
                "test_mse": (("seed", "reference"), rng.uniform(0.1, 0.2, size=(len(SEEDS), 2))),
                "limit_variance": (("seed", "point"), rng.uniform(0.01, 0.02, size=(len(SEEDS), 7))),
            },
            coords={"seed": SEEDS, "reference": ["ntk", "rbf gamma=1"]},
        )
    return xr.DataTree.from_dict(nodes)


def with_status(tree, change):
    """The tree with another status of its trained networks."""
    block = tree["trained/main"].to_dataset()
    block["status"] = change(block.status)
    return xr.DataTree.from_dict({"trained/main": block, "predicted/main": tree["predicted/main"].ds})


def numbers_at(table, **where):
    """The rows of a table with these values."""
    for column, value in where.items():
        table = table[table[column] == value]
    return table


def test_the_table_has_means_and_intervals_of_converged_networks():
    """Per place, measure, series and σ: the mean and its 95 % t interval over the seeds that
    converged, of the networks and of the limits of the same seeds."""
    tree = study()
    table = error_vs_scale.tabulate(tree, "main")
    assert len(table) == len(WIDTHS) * 2 * 2 * len(SCALES)
    converged = tree["trained/main"].status == "converged"
    for row in table.itertuples():
        node = tree["trained/main"] if row.series == "trained" else tree["predicted/main"]
        values = node.to_dataset()[row.measure].where(converged)
        if row.series != "trained":
            values = values.sel(predictor=row.series)
        values = values.sel(width=int(row.panel.removeprefix("width ")), scale=row.x).values
        values = values[np.isfinite(values)]
        assert row.n == len(values) == 5
        assert row.estimate == pytest.approx(values.mean(), rel=1e-12)
        high = stats.ttest_1samp(values, 0).confidence_interval().high
        wide = np.exp(high / values.mean() - 1)  # of the mean's logarithm, for the errors are positive
        assert (row.low, row.high) == pytest.approx((values.mean() / wide, values.mean() * wide))


def test_unconverged_networks_are_left_out():
    """An absurd error of a network that was stopped changes nothing."""
    tree = study()
    before = error_vs_scale.tabulate(tree, "main")
    block = tree["trained/main"].to_dataset()
    block["test_mse"] = block.test_mse.where(block.status == "converged", 1e9)
    changed = xr.DataTree.from_dict({"trained/main": block, "predicted/main": tree["predicted/main"].ds})
    pd.testing.assert_frame_equal(error_vs_scale.tabulate(changed, "main"), before)


def test_other_schemes_stand_beside_their_own_width_alone():
    """A second block's schemes are drawn where the networks are those of the panel, and nowhere else."""
    tree = study(beside=True)
    table = error_vs_scale.tabulate(tree, "main", "other")
    other = table[table.series.isin(["centred", "antisymmetric"])]
    assert set(other.panel) == {"width 16"}
    assert len(other) == 2 * 2 * len(SCALES)
    for row in other.itertuples():
        values = tree["trained/other"].ds[row.measure].sel(scheme=row.series, scale=row.x)
        assert row.estimate == pytest.approx(float(values.mean()), rel=1e-12)


def test_the_infinite_width_curve_is_its_formula():
    """MSE_int + σ^{2H} V of the NTK reference, and σ* = (MSE_int/V)^{1/2H} where the two are equal."""
    tree = study(reference=True)
    table = error_vs_scale.tabulate(tree, "main")
    reference = tree["reference/main"].to_dataset()
    interpolant = float(reference.test_mse.sel(reference="ntk").mean())
    share = float(reference.limit_variance.mean())
    for panel in ("width 16", "width 64"):
        curve = numbers_at(table, panel=panel, series="infinite width")
        assert (curve.x.min(), curve.x.max()) == (0.5, 2.0)
        np.testing.assert_allclose(curve.estimate, interpolant + curve.x ** (2 * DEPTH) * share, rtol=1e-12)
        crossing = numbers_at(table, panel=panel, series="σ*")
        np.testing.assert_allclose(crossing.x, (interpolant / share) ** (1 / (2 * DEPTH)), rtol=1e-12)


@pytest.mark.parametrize("across", [True, False], ids=["two widths", "one panel"])
@pytest.mark.parametrize("classes", [True, False], ids=["classes", "values"])
@pytest.mark.parametrize("more", [True, False], ids=["everything", "bare"])
def test_the_picture_draws_its_table(across, classes, more):
    """A column per place, a row per measure, a line per series through exactly the table's numbers."""
    tree = study(across, classes, beside=more, reference=more)
    table = error_vs_scale.tabulate(tree, "main", "other" if more else "")
    figure = error_vs_scale.draw(table)
    figure.draw_without_rendering()
    assert len(figure.axes) == (1 + across) * (1 + classes)
    panels = list(dict.fromkeys(table.panel))
    for place, axes in enumerate(figure.axes):
        measure = ("test_mse", "test_error")[place // len(panels)]
        here = numbers_at(table, panel=panels[place % len(panels)], measure=measure)
        lines = {line.get_label(): line for line in axes.lines if line.get_label() in LOOKS}
        assert set(lines) == set(here.series) - {"σ*"}
        assert {"trained", "linearized"} <= set(lines)
        for series, line in lines.items():
            wanted = numbers_at(here, series=series)
            np.testing.assert_array_equal(line.get_xdata(), wanted.x)
            np.testing.assert_array_equal(line.get_ydata(), wanted.estimate)
            assert line.get_color() == LOOKS[series].colour
        assert axes.get_yscale() == ("log" if measure == "test_mse" else "linear")
    assert "n = 5" in figure.axes[0].get_title()
    assert any(axes.get_legend() for axes in figure.axes)
    assert figure.axes[-1].get_xlabel() == "initialization scale σ"
    assert figure.axes[0].get_ylabel() == "test mean squared error"


@pytest.mark.parametrize("left", [0, 1])
def test_a_place_where_almost_nothing_converged_is_drawn(left):
    """No network, or one, at one σ: a gap or a point without a band, the n in the title, and no warning."""
    tree = with_status(
        study(across=False),
        lambda status: status.where((status.scale != 1.0) | (status.seed < left), "stopped"),
    )
    table = error_vs_scale.tabulate(tree, "main")
    row = numbers_at(table, x=1.0, measure="test_mse", series="trained").iloc[0]
    assert row.n == left
    assert np.isnan(row.low)
    assert np.isnan(row.high)
    assert np.isnan(row.estimate) == (left == 0)
    figure = error_vs_scale.draw(table)
    figure.draw_without_rendering()
    assert f"n = {left} to 5" in figure.axes[0].get_title()


def test_nothing_converged_at_all_is_still_a_figure(tmp_path):
    """An empty picture with n = 0, and no crash on an empty logarithmic axis."""
    write(with_status(study(across=False), lambda status: status.where(False, "stopped")), tmp_path)
    table, png, _ = draw(tmp_path)
    assert (pd.read_csv(table).n == 0).all()
    assert png.stat().st_size > 100


def write(tree, folder):
    encoding = {node.path: string_encoding(node.to_dataset(inherit=False)) for node in tree.subtree}
    write_atomically(tree, folder / "dataset.nc", encoding=encoding)


def draw(folder, name="figure", blocks=("main",)):
    """The table and the pictures of a dataset in `folder`."""
    table, *pictures = (folder / f"{name}.{kind}" for kind in ("csv", "png", "svg"))
    draw_figure(error_vs_scale.__name__, blocks, folder / "dataset.nc", table, pictures)
    return table, *pictures


@pytest.mark.parametrize("across", [True, False], ids=["two widths", "one panel"])
def test_bytes_repeat(tmp_path, across):
    """The same dataset gives the same table and the same pictures to the last byte, and no other file."""
    write(study(across, beside=True, reference=True), tmp_path)
    first, second = (draw(tmp_path, name, ("main", "other")) for name in ("figure", "again"))
    for one, other in zip(first, second, strict=True):
        assert one.stat().st_size > 100
        assert one.read_bytes() == other.read_bytes()
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"dataset.nc", *(path.name for path in (*first, *second))}
    assert first[1].read_bytes().startswith(b"\x89PNG")
    assert b"initialization scale" in first[2].read_bytes()


@pytest.mark.parametrize("across", [True, False], ids=["two widths", "one panel"])
def test_the_table_beside_the_picture_is_complete(tmp_path, across):
    """Read back it is the table that was tabulated, to ten digits: an empty panel name is not a NaN."""
    tree = study(across, reference=True)
    write(tree, tmp_path)
    wanted = error_vs_scale.tabulate(tree, "main")
    pd.testing.assert_frame_equal(read_table(draw(tmp_path)[0]), wanted, rtol=1e-9, check_dtype=False)


def functions(study_dims, rng):
    """Random predictions of networks and of theory over some dimensions, two test points, one output."""
    shape = tuple(len(labels) for labels in study_dims.values())
    dims = tuple(study_dims)
    trained = xr.Dataset(
        {
            "test": ((*dims, "point", "output"), rng.normal(size=(*shape, 2, 1))),
            "status": (dims, np.full(shape, "converged", dtype="U9")),
        },
        coords=study_dims,
        attrs={"fixed": json.dumps(FIXED)},
    )
    predicted = xr.Dataset(
        {"test": (("predictor", *dims, "point", "output"), rng.normal(size=(2, *shape, 2, 1)))},
        coords=study_dims | {"predictor": ["linearized", "interpolant"]},
    )
    return trained, predicted


def test_the_distance_against_width_is_relative_and_in_function_space():
    """‖net − limit‖/‖limit‖ over points and outputs, a mean over the seeds that converged."""
    dims = {"width": WIDTHS, "scale": [1.0, 2.0], "seed": [0, 1, 2]}
    trained, predicted = functions(dims, np.random.default_rng(1))
    trained.status[0, 0, 2] = "stopped"
    table = distance_vs_width.tabulate(
        xr.DataTree.from_dict({"trained/main": trained, "predicted/main": predicted}), "main"
    )
    assert len(table) == 2 * 2 * 2
    for row in table.itertuples():
        where = {"width": row.x, "scale": float(row.panel.removeprefix("σ = "))}
        seeds = [0, 1] if where == {"width": 16, "scale": 1.0} else [0, 1, 2]
        distances = []
        for seed in seeds:
            limit = predicted.test.sel(where).sel(predictor=row.series, seed=seed).values
            net = trained.test.sel(where).sel(seed=seed).values
            distances.append(np.linalg.norm(net - limit) / np.linalg.norm(limit))
        assert row.n == len(seeds)
        assert row.estimate == pytest.approx(np.mean(distances), rel=1e-12)
    figure = distance_vs_width.draw(table)
    figure.draw_without_rendering()
    assert [axes.get_title() for axes in figure.axes] == ["σ = 1, n = 2 to 3", "σ = 2, n = 3"]


def test_further_axes_get_panels_of_their_own():
    """Not pooled with the seeds: the same numbers as each value alone has, and n is that of the seeds."""
    dims = {"width": WIDTHS, "scale": [1.0], "lr": ["slow", "fast"], "seed": [0, 1, 2]}
    nodes = {}
    nodes["trained/main"], nodes["predicted/main"] = functions(dims, np.random.default_rng(3))
    table = distance_vs_width.tabulate(xr.DataTree.from_dict(nodes), "main")
    for lr in dims["lr"]:
        one = {path: node.sel(lr=lr) for path, node in nodes.items()}
        alone = distance_vs_width.tabulate(xr.DataTree.from_dict(one), "main").drop(columns="panel")
        here = numbers_at(table, panel=f"σ = 1, lr {lr}").drop(columns="panel").reset_index(drop=True)
        pd.testing.assert_frame_equal(here, alone)
    assert set(table.n) == {3}
    assert [axes.get_title() for axes in distance_vs_width.draw(table).axes] == [
        "σ = 1, lr slow, n = 3",
        "σ = 1, lr fast, n = 3",
    ]
    dims = {"scale": [1.0, 2.0], "lr": ["slow", "fast"], "flip": [False, True], "seed": [0, 1, 2]}
    nodes["trained/main"], nodes["predicted/main"] = functions(dims, np.random.default_rng(4))
    for kind in ("trained", "predicted"):
        nodes[f"{kind}/other"] = nodes[f"{kind}/main"].sel(lr=["fast"])
    table = share_vs_scale.tabulate(xr.DataTree.from_dict(nodes), "main", "other")
    assert set(table.panel) == {"H = 3, lr slow", "H = 3, lr fast"}
    assert set(numbers_at(table, series="centred").panel) == {"H = 3, lr fast"}
    assert set(table.n) == {3}
    share_vs_scale.draw(table).draw_without_rendering()


def test_axes_that_only_the_block_beside_has_are_refused():
    """They would be pooled with its seeds."""
    dims = {"scale": [1.0, 2.0], "flip": [False, True], "seed": [0, 1]}
    nodes = {}
    nodes["trained/main"], nodes["predicted/main"] = functions(dims, np.random.default_rng(5))
    for kind in ("trained", "predicted"):
        nodes[f"{kind}/other"] = xr.concat([nodes[f"{kind}/main"]] * 2, pd.Index(["a", "b"], name="lr"))
    with pytest.raises(ValueError, match="curve over scale with an axis lr"):
        share_vs_scale.tabulate(xr.DataTree.from_dict(nodes), "main", "other")


def test_the_initializations_share_is_half_the_difference_of_a_pair():
    """‖(f₊ − f₋)/2‖ over flipped pairs; a pair of which one network did not converge is left out."""
    dims = {"scale": [1.0, 2.0], "flip": [False, True], "seed": [0, 1, 2]}
    trained, predicted = functions(dims, np.random.default_rng(2))
    trained.status[1, 1, 0] = "diverged"
    table = share_vs_scale.tabulate(
        xr.DataTree.from_dict({"trained/main": trained, "predicted/main": predicted}), "main"
    )
    assert set(table.depth) == {DEPTH}
    for row in table.itertuples():
        source = trained.test if row.series == "trained" else predicted.test.sel(predictor=row.series)
        plus, minus = (source.sel(scale=row.x, flip=flip) for flip in (False, True))
        shares = np.sqrt((((plus - minus) / 2) ** 2).mean(("point", "output"))).values
        shares = shares[1:] if row.x == 2.0 else shares
        assert row.n == len(shares)
        assert row.estimate == pytest.approx(shares.mean(), rel=1e-12)
    figure = share_vs_scale.draw(table)
    figure.draw_without_rendering()
    assert figure.axes[0].get_title() == "H = 3, n = 2 to 3"


def test_a_table_is_read_as_it_was_written(tmp_path):
    """A column of the user's own with a number missing is numbers; empty words, and numbers among them, are
    words; an estimate is a number even where there is none."""
    written = pd.DataFrame(
        {
            "gap": [0.5, np.nan],
            "panel": ["", ""],
            "series": ["10", "few"],
            "label": ["", "a"],
            "low": [np.nan] * 2,
        }
    )
    written.to_csv(tmp_path / "table.csv", index=False)
    pd.testing.assert_frame_equal(read_table(tmp_path / "table.csv"), written)


def test_a_figure_is_drawn_again_when_what_writes_it_changes(monkeypatch):
    used = []
    monkeypatch.setattr(stamps, "fingerprint", lambda modules: used.extend(modules) or "")
    study = {"blocks": {"main": {"data": "toy"}}, "figures": {"error_vs_scale": {}}}
    plan = Plan({"claims": None, "data": {"toy": RECIPE}, "studies": {"toys": study}})
    plan.stamps.figure("toys", "error_vs_scale")
    assert used == ["minima.findings.drawing", "minima.findings.figures.error_vs_scale"]
