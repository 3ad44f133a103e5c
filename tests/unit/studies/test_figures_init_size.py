"""The three figures of `init_size`: tables with the right numbers of a world whose truth is known, pictures
that say what they show and that are drawn from the table alone."""

import ast
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.unit.helpers import draw_figure
from tests.unit.worlds import MISS, World, changed, rms, spoiled, studies

from minima.findings import stats
from minima.findings.drawing import read_table
from minima.findings.figures import error_vs_scale
from minima.findings.files import write_text
from minima.findings.style import LOOKS, styled
from minima.netcdf import tree_encoding, write_atomically
from studies.init_size.figures import distance_vs_width, share_vs_scale

pytestmark = pytest.mark.filterwarnings("error")
KINDS = {
    "error_vs_scale": (error_vs_scale, ("scale", "strategies")),
    "share_vs_scale": (share_vs_scale, ("pairs", "centred_pairs")),
    "distance_vs_width": (distance_vs_width, ("width",)),
}
AXES = {
    "error_vs_scale": ("initialization scale σ", {"test mean squared error", "test 0-1 error"}),
    "share_vs_scale": ("initialization scale σ", {"‖(f₊ − f₋)/2‖ on test points"}),
    "distance_vs_width": ("width or channels", {"relative distance on test points"}),
}


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    monkeypatch.setattr(stats, "RESAMPLES", 199)


@pytest.fixture(scope="module")
def world():
    return World()


@pytest.fixture(scope="module")
def tree(world):
    return world.tree()


def tabulate(name, tree, beside=True):
    figure, blocks = KINDS[name]
    return figure.tabulate(tree, *(blocks if beside else blocks[:1]))


def drawn(name, table):
    with styled():
        figure = KINDS[name][0].draw(table)
        figure.draw_without_rendering()
    return figure


def where(table, **values):
    for column, value in values.items():
        table = table[table[column] == value]
    assert len(table), values
    return table


def test_these_are_the_curves_of_the_committed_config():
    """With the blocks that it gives them; the others have tests of their own."""
    figures = studies()["init_size"]["figures"]
    assert set(figures) == {*KINDS, "distance_vs_channels", "nearest_minimizer", "strategies"}
    for name, figure in figures.items():
        if name not in KINDS:
            continue
        assert KINDS[name][1] == tuple(figure[key] for key in ("block", "beside") if key in figure)


def test_the_distance_against_channels_is_of_networks_with_names(world):
    """The labels of the axis are numbers of channels."""
    tree = world.tree()
    table = distance_vs_width.tabulate(tree, "channels")
    rows = table[table.series == "linearized"]
    assert rows.x.tolist() == [8, 16, 32]
    nets, limits = (tree[f"{kind}/channels"].ds.test for kind in ("trained", "predicted"))
    nets, limits = nets.sel(network="16"), limits.sel(network="16", predictor="linearized")
    wanted = np.mean([rms((nets - limits).sel(seed=s)) / rms(limits.sel(seed=s)) for s in nets.seed])
    assert rows.estimate.iloc[1] == pytest.approx(float(wanted))


# Numbers


def test_errors_are_those_of_the_world(tree, world):
    """MSE_int + share² for networks and limits, MSE_int for centred and antisymmetric networks."""
    table = tabulate("error_vs_scale", tree)
    for row in where(table, measure="test_mse").itertuples():
        if row.series == "σ*":
            continue
        share = 0 if row.series in ("centred", "antisymmetric") else world.share_at(row.x, 3)
        exact = row.series in ("linearized", "infinite width")
        assert row.estimate == pytest.approx(MISS**2 + share**2, rel=1e-10 if exact else 0.08)
        assert row.n == 10
        assert row.low <= row.estimate <= row.high


def test_the_error_of_infinitely_wide_networks_is_its_formula(tree):
    """MSE_int + σ^{2H} V by the references, on both widths' panels, over the networks' range of σ."""
    table = tabulate("error_vs_scale", tree)
    reference = tree["reference/scale"].ds
    interpolant = float(reference.test_mse.sel(reference="ntk").mean())
    variance = float(reference.limit_variance.mean())
    for panel in ("width 64", "width 256"):
        curve = where(table, panel=panel, series="infinite width")
        assert (curve.x.min(), curve.x.max()) == pytest.approx((0.5, 3))
        np.testing.assert_allclose(curve.estimate, interpolant + curve.x**6 * variance, rtol=1e-12)
        assert set(curve.measure) == {"test_mse"}


@pytest.mark.parametrize("predicted", [1.0, 1.5, 2.2])
def test_the_predicted_crossing_is_its_formula(predicted):
    """σ* = (MSE_int/V)^{1/2H}: known exactly in the world, a line in every panel of both measures."""
    table = tabulate("error_vs_scale", World(star_predicted=predicted).tree())
    crossings = where(table, series="σ*")
    np.testing.assert_allclose(crossings.x, predicted, rtol=1e-12)
    assert len(crossings) == 4
    figure = drawn("error_vs_scale", table)
    for axes in figure.axes:
        (line,) = [line for line in axes.lines if line.get_label() == "σ* predicted"]
        np.testing.assert_allclose(line.get_xdata(), predicted, rtol=1e-12)


def test_other_schemes_stand_where_their_width_is(tree):
    """`strategies` has width 256: nothing of it in the panel of width 64."""
    table = tabulate("error_vs_scale", tree)
    beside = table[table.series.isin(["centred", "antisymmetric"])]
    assert set(beside.panel) == {"width 256"}
    scales = tree["trained/strategies"].scale.values.tolist()
    assert set(beside.x) == set(scales)
    assert len(beside) == 2 * 2 * len(scales)  # two schemes, two measures


@pytest.mark.parametrize(
    ("series", "power", "size"), [("trained", 0.0, 0.98), ("linearized", 0.0, 1.0), ("trained", -1.0, 0.98)]
)
def test_shares_are_those_of_the_world(series, power, size):
    """σ^H by depth, of networks and limits; another power is another curve."""
    world = World(power=power)
    table = tabulate("share_vs_scale", world.tree())
    for depth in (2, 3, 4):
        rows = where(table, series=series, depth=depth)
        truth = [size * sigma**power * world.share_at(sigma, depth) for sigma in rows.x]
        np.testing.assert_allclose(rows.estimate, truth, rtol=1e-10 if series == "linearized" else 0.08)
        assert set(rows.n) == {6}


def test_centred_pairs_stand_at_their_depth(tree):
    """Once, at H = 3, and without the share."""
    rows = where(tabulate("share_vs_scale", tree), series="centred")
    assert set(rows.depth) == {3}
    assert (rows.estimate < 0.05).all()
    assert "centred" not in set(tabulate("share_vs_scale", tree, beside=False).series)


def test_distances_are_those_of_the_world(tree):
    """width^(−1/2) to the linearized limit; at σ = 2 what stays to the interpolant is the share."""
    table = tabulate("distance_vs_width", tree)
    limits = where(table, series="linearized", panel="σ = 1")
    np.testing.assert_allclose(limits.estimate, 0.5 * limits.x**-0.5, rtol=0.1)
    predicted = tree["predicted/width"].ds.test
    for row in where(table, series="interpolant").itertuples():
        scale = float(row.panel.removeprefix("σ = "))
        nets = tree["trained/width"].ds.test.sel(width=row.x, scale=scale)
        f_int = predicted.sel(width=row.x, scale=scale, predictor="interpolant")
        found = [rms(nets[seed].values - f_int[seed].values) / rms(f_int[seed].values) for seed in range(10)]
        assert row.estimate == pytest.approx(np.mean(found), rel=1e-12)
        assert row.n == 10


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("status", ["diverged", "stopped", "missing"])
def test_networks_without_a_minimizer_are_left_out_with_their_n(name, status, tree):
    """No absurd number and no NaN enters a mean; the row and the panel's title count the others. The limits
    of the same networks are left out with them, so that the curves compare like with like."""
    before, after = tabulate(name, tree), tabulate(name, spoiled(tree, status, [0, 1]))
    theory = before.series.isin(["infinite width", "σ*"])
    pd.testing.assert_frame_equal(after[theory], before[theory])
    fewer = after.n != before.n
    assert fewer.any()
    assert (before.n[fewer] - after.n[fewer] == 2).all()
    pd.testing.assert_frame_equal(after[~fewer], before[~fewer])
    for one, other in zip(after[fewer].itertuples(), before[fewer].itertuples(), strict=True):
        assert one.estimate == pytest.approx(other.estimate, rel=0.5, abs=0.1)
    whole = int(before.n.max())
    titles = [axes.get_title() for axes in drawn(name, after).axes]
    assert any(f"n = {whole - 2} to {whole}" in title for title in titles)
    assert all(f"n = {whole}" in axes.get_title() for axes in drawn(name, before).axes if axes.get_title())


def test_fixed_data_have_one_reference_for_all_seeds(tree):
    """References without a seed: the same curve, and as many units as there are."""
    one = tree["reference/scale"].to_dataset().isel(seed=0, drop=True)
    table = tabulate("error_vs_scale", changed(tree, "reference/scale", one))
    pd.testing.assert_series_equal(
        where(table, series="σ*").x, where(tabulate("error_vs_scale", tree), series="σ*").x
    )
    assert set(where(table, series="σ*").n) == {1}
    drawn("error_vs_scale", table)


@pytest.mark.parametrize("kept", [["rbf gamma=0.0156"], ["ntk alpha=0.001", "rbf gamma=0.0156"]])
def test_references_without_the_ridgeless_ntk_draw_no_infinite_width(tree, kept):
    """A study may ask for others alone: its figure is drawn without that line."""
    reference = tree["reference/scale"].to_dataset().sel(reference=kept)
    if kept == ["rbf gamma=0.0156"]:
        reference = reference.drop_vars(["limit_variance", "start_variance"])
    table = tabulate("error_vs_scale", changed(tree, "reference/scale", reference))
    assert not {"infinite width", "σ*"} & set(table.series)
    drawn("error_vs_scale", table)


@pytest.mark.parametrize("activation", ["erf", "tanh"])
def test_no_power_law_is_drawn_for_networks_without_one(tree, activation):
    """erf nets have no σ^{2H}: their figure has neither the infinite width's curve nor σ*."""
    block = tree["trained/scale"].to_dataset()
    other = block.assign_attrs(fixed=block.attrs["fixed"].replace('"relu"', f'"{activation}"'))
    assert other.attrs["fixed"] != block.attrs["fixed"]
    table = tabulate("error_vs_scale", changed(tree, "trained/scale", other))
    assert not {"infinite width", "σ*"} & set(table.series)
    assert {"trained", "linearized"} <= set(table.series)


# Pictures


@pytest.mark.parametrize("name", KINDS)
def test_axes_say_what_they_show(name, tree):
    """Every column its x, every row its y; logarithmic where powers are lines; a title with n per column."""
    figure = drawn(name, tabulate(name, tree))
    x_label, y_labels = AXES[name]
    assert {axes.get_xlabel() for axes in figure.axes} - {""} == {x_label}
    assert {axes.get_ylabel() for axes in figure.axes} - {""} == y_labels
    for axes in figure.axes:
        place = axes.get_subplotspec()
        assert bool(axes.get_xlabel()) == place.is_last_row()
        assert bool(axes.get_ylabel()) == place.is_first_col()
        assert axes.get_xscale() == "log"
        if place.is_first_row():
            assert re.search(r"n = \d+", axes.get_title())
            assert axes.get_yscale() == "log"


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("beside", [True, False])
def test_every_line_is_in_the_legend(name, beside, tree):
    """Of whichever panel: one legend has every label, each once and always of the same look."""
    figure = drawn(name, tabulate(name, tree, beside))
    lines = [line for axes in figure.axes for line in axes.lines]
    legends = [axes.get_legend() for axes in figure.axes if axes.get_legend()]
    assert len(legends) == 1
    labels = [text.get_text() for text in legends[0].get_texts()]
    assert {line.get_label() for line in lines} == set(labels)
    assert len(labels) == len(set(labels))
    assert not [label for label in labels if label.startswith("_")]
    looks = {(line.get_label(), line.get_color(), line.get_linestyle(), line.get_marker()) for line in lines}
    assert len(looks) == len(labels)


def test_the_legend_is_where_all_lines_are(tree):
    """Schemes that stand in the first panel only are in the legend too."""
    block = tree["trained/strategies"].to_dataset()
    narrow = block.attrs["fixed"].replace('"width":256', '"width":64')
    table = tabulate("error_vs_scale", changed(tree, "trained/strategies", block.assign_attrs(fixed=narrow)))
    assert set(where(table, series="centred").panel) == {"width 64"}
    figure = drawn("error_vs_scale", table)
    (legend,) = [axes.get_legend() for axes in figure.axes if axes.get_legend()]
    assert {text.get_text() for text in legend.get_texts()} >= {"trained", "centred", "antisymmetric"}


@pytest.mark.parametrize("name", KINDS)
def test_lines_are_the_table(name, tree):
    """Every series of every panel passes through exactly the table's points, with its band."""
    table = tabulate(name, tree)
    figure = drawn(name, table)
    points = sorted(
        (float(x), float(y))
        for axes in figure.axes
        for line in axes.lines
        if line.get_label() not in ("σ^H", "width^(−1/2)", "σ* predicted")
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    )
    wanted = table[table.series != "σ*"]
    assert points == sorted(zip(wanted.x.astype(float), wanted.estimate, strict=True))
    bands = [len(axes.collections) for axes in figure.axes]
    assert (
        sum(bands)
        == sum(len(axes.lines) for axes in figure.axes)
        - {
            "error_vs_scale": 4,  # σ* in every panel
            "share_vs_scale": 3,  # a guide per panel
            "distance_vs_width": 2,
        }[name]
    )


@pytest.mark.parametrize(
    ("name", "label", "column", "power"),
    [
        ("share_vs_scale", "σ^H", "depth", lambda depth: depth),
        ("distance_vs_width", "width^(−1/2)", "panel", lambda _: -0.5),
    ],
)
def test_guides_are_the_power_that_they_are_called(name, label, column, power, tree):
    """Through the linearized series' first point, straight on logarithmic axes."""
    table = tabulate(name, tree)
    figure = drawn(name, table)
    for axes, place in zip(figure.axes, sorted(set(table[column])), strict=True):
        (guide,) = [line for line in axes.lines if line.get_label() == label]
        first = where(table, series="linearized", **{column: place}).sort_values("x").iloc[0]
        x, y = guide.get_xdata(), guide.get_ydata()
        assert (x[0], y[0]) == pytest.approx((first.x, first.estimate))
        slope = np.diff(np.log(y)) / np.diff(np.log(x))
        np.testing.assert_allclose(slope, power(place), rtol=1e-10)


@pytest.mark.parametrize("name", KINDS)
def test_the_picture_needs_the_table_alone(name, tree, tmp_path):
    """Drawn from the .csv as written, to ten digits, it is the same picture."""
    table = tabulate(name, tree)
    path = tmp_path / "table.csv"
    write_text(table.to_csv(index=False, float_format="%.10g"), path)
    read = read_table(path)
    pd.testing.assert_frame_equal(read, table, rtol=1e-9, check_dtype=False)
    one, other = drawn(name, table), drawn(name, read)
    for first, second in zip(one.axes, other.axes, strict=True):
        assert first.get_title() == second.get_title()
        for line, again in zip(first.lines, second.lines, strict=True):
            assert line.get_label() == again.get_label()
            np.testing.assert_allclose(line.get_xydata(), again.get_xydata(), rtol=1e-8)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("left", [0, 1])
def test_whatever_converged_a_figure_is_written(name, left, tree, tmp_path):
    """With one network or none at some places: table, PNG and SVG, without a warning."""
    seeds = {"share_vs_scale": 6}.get(name, 10)
    bad = spoiled(tree, "diverged", list(range(left, seeds)))
    write_atomically(bad, tmp_path / "dataset.nc", encoding=tree_encoding(bad))
    files = [tmp_path / f"figure.{kind}" for kind in ("csv", "png", "svg")]
    draw_figure(KINDS[name][0].__name__, KINDS[name][1], tmp_path / "dataset.nc", files[0], files[1:])
    assert files[1].read_bytes().startswith(b"\x89PNG")
    assert AXES[name][0] in files[2].read_text(encoding="utf-8")
    assert read_table(files[0]).n.min() == left


@pytest.mark.parametrize("name", KINDS)
def test_every_series_has_a_look_of_its_own(name, tree):
    """A colour each, and a marker and dash each, so that grey print and colour-blind readers can tell."""
    series = set(tabulate(name, tree).series) - {"σ*"}
    assert series <= set(LOOKS)
    assert len({LOOKS[one].colour for one in series}) == len(series)
    assert len({(LOOKS[one].marker, LOOKS[one].dash) for one in series}) == len(series)


@pytest.mark.parametrize("name", KINDS)
def test_captions_explain_what_the_legend_cannot(name):
    """What points, bands and dots are, and what was left out; figures take a table and know no file."""
    figure, _ = KINDS[name]
    for word in ("Points", "means over seeds", "95 % t intervals", "left out", "n counts the others"):
        assert word in figure.CAPTION
    source = ast.parse(Path(figure.__file__).read_text(encoding="utf-8"))
    draw = next(node for node in source.body if isinstance(node, ast.FunctionDef) and node.name == "draw")
    assert [argument.arg for argument in draw.args.args] == ["table"]
