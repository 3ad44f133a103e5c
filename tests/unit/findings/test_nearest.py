"""The answer for every cell: the minimizer that it found, its distance and its lead, or none."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from tests.unit.helpers import draw_figure

from minima.findings.drawing import read_table
from minima.findings.figures import nearest_minimizer as figure
from minima.findings.nearest import NONE, NOTHING, named, nearest_minimizer
from minima.findings.style import styled
from minima.netcdf import string_encoding, write_atomically

pytestmark = pytest.mark.filterwarnings("error")
DIMS = {"width": [8, 16], "scale": [1.0, 2.0], "seed": [0, 1, 2, 3]}
POINTS, OUTPUTS = 7, 2
WITHIN = 0.05
rng = np.random.default_rng(0)


def functions(dims):
    """Random functions over some dimensions."""
    shape = tuple(map(len, dims.values()))
    values = rng.normal(size=(*shape, POINTS, OUTPUTS))
    return xr.DataArray(values, coords=dims, dims=(*dims, "point", "output"))


def truth(chosen):
    """Trained networks that stand at a random distance, within the tolerance, from the minimizer that
    `chosen` [width, scale] names: a predictor of each network or a reference of each seed."""
    predicted = functions({"predictor": ["linearized", "interpolant"], **DIMS})
    references = functions({"seed": DIMS["seed"], "reference": ["ntk", "rbf gamma=0.5"]})
    names = {"ntk": references.sel(reference="ntk"), "linearized": predicted.sel(predictor="linearized")}
    both = {name: values.broadcast_like(predicted[0]).transpose(*DIMS, ...) for name, values in names.items()}
    net = xr.where(chosen == "ntk", both["ntk"], both["linearized"]).transpose(*DIMS, "point", "output")
    step = functions(DIMS)
    step *= 0.9 * WITHIN * rng.uniform(size=DIMS_SHAPE) * norm(net) / norm(step)
    trained = xr.Dataset({"test": net + step, "status": (tuple(DIMS), np.full(DIMS_SHAPE, "converged"))})
    trained.attrs["fixed"] = json.dumps({})
    return trained, predicted.to_dataset(name="test"), references.to_dataset(name="test")


ONE_DATA = [0] * len(DIMS["seed"])
DIMS_SHAPE = tuple(map(len, DIMS.values()))
CHOSEN = xr.DataArray(
    [["ntk", "linearized"], ["linearized", "ntk"]],
    coords={dim: DIMS[dim] for dim in ("width", "scale")},
    dims=("width", "scale"),
)


def norm(f):
    return np.sqrt((f**2).sum(("point", "output")))


def test_the_nearest_is_the_one_that_was_found():
    """By name, for every network, and its distance is ‖f − g‖/‖f‖ from references and predictions alike."""
    trained, predicted, references = truth(CHOSEN)
    found = nearest_minimizer(trained, predicted, references, WITHIN)
    assert found.minimizer.values.tolist() == ["linearized", "interpolant", "ntk", "rbf gamma=0.5"]
    assert (found.nearest == CHOSEN).all()
    assert found.distance_to.dims == (*DIMS, "minimizer")
    for width, scale, seed in np.ndindex(*DIMS_SHAPE):
        place = {"width": width, "scale": scale, "seed": seed}
        f, here = trained.test[place].values, found.distance_to[place]
        for name, source in (("interpolant", predicted), ("rbf gamma=0.5", references)):
            g = source.test.sel({source.test.dims[0]: name} if source is predicted else {"reference": name})
            g = g.isel({dim: i for dim, i in place.items() if dim in g.dims}).values
            expected = np.linalg.norm(f - g) / np.linalg.norm(f)
            assert here.sel(minimizer=name) == pytest.approx(expected, rel=1e-12)
    assert "seed_spread" not in found


@pytest.mark.parametrize("status", ["stopped", "diverged", "missing"])
def test_a_network_without_a_minimizer_gets_no_answer(status):
    """Its distances are NaN and its answer says what became of it; the others' answers stay."""
    trained, predicted, references = truth(CHOSEN)
    before = nearest_minimizer(trained, predicted, references, WITHIN, ONE_DATA)
    trained["status"] = trained.status.astype("U16")
    trained.status[1, 0, 2] = status
    if status != "stopped":
        trained.test[1, 0, 2] = np.nan
    found = nearest_minimizer(trained, predicted, references, WITHIN, ONE_DATA)
    lost = found.nearest == status
    assert lost.sum() == 1
    assert bool(lost[1, 0, 2])
    assert found.distance_to[1, 0, 2].isnull().all()
    xr.testing.assert_equal(found.nearest.where(~lost, ""), before.nearest.where(~lost, ""))
    xr.testing.assert_equal(found.distance_to.where(~lost), before.distance_to.where(~lost))
    others = [f for seed, f in enumerate(trained.test[1, 0].values) if seed != 2]
    assert found.seed_spread[1, 0] == pytest.approx(spread(others), rel=1e-12)


def spread(functions):
    """Root mean square distance of all pairs, over the root mean square norm."""
    pairs = [np.sum((f - g) ** 2) for i, f in enumerate(functions) for g in functions[:i]]
    return np.sqrt(np.mean(pairs) / np.mean([np.sum(f**2) for f in functions]))


def test_the_seed_spread_is_the_distance_between_two_seeds():
    """Where they share their data."""
    trained, predicted, references = truth(CHOSEN)
    found = nearest_minimizer(trained, predicted, references, WITHIN, ONE_DATA).seed_spread
    assert found.dims == ("width", "scale")
    for width, scale in np.ndindex(found.shape):
        expected = spread(trained.test[width, scale].values)
        assert found[width, scale] == pytest.approx(expected, rel=1e-12)


def test_seeds_that_share_data_in_groups_are_compared_within_them():
    """Pairs of seeds on the same rows: never a distance between functions on different rows."""
    trained, predicted, _ = truth(CHOSEN)
    trained.test[:, :, 2:] += 100
    found = nearest_minimizer(trained, predicted, None, WITHIN, [7, 7, 3, 3]).seed_spread
    for width, scale in np.ndindex(found.shape):
        one, two = (trained.test[width, scale, group].values for group in (slice(2), slice(2, 4)))
        apart = [np.sum((pair[0] - pair[1]) ** 2) for pair in (one, two)]
        norms = [np.mean([np.sum(f**2) for f in pair]) for pair in (one, two)]
        assert found[width, scale] == pytest.approx(np.sqrt(np.mean(apart) / np.mean(norms)), rel=1e-9)


def test_two_theories_of_one_minimizer_do_not_share_the_votes():
    """A recursion that differs from its closed form by rounding never takes its place."""
    trained, predicted, _ = truth(CHOSEN.where(False, "linearized"))
    copies = predicted.test.sel(predictor="linearized", drop=True)
    wiggle = 1 + 1e-8 * functions(DIMS)
    predicted = xr.concat(
        [predicted, predicted.sel(predictor=["linearized"]).assign_coords(predictor=["linearized_gd"])],
        dim="predictor",
    )
    predicted.test[2] = copies * wiggle
    found = nearest_minimizer(trained, predicted, None, WITHIN)
    assert (found.nearest == "linearized").all()
    # but one that is really nearer does: by more than twice as near as the two are to each other
    predicted.test[2] = 0.2 * copies + 0.8 * trained.test
    assert (nearest_minimizer(trained, predicted, None, WITHIN).nearest == "linearized_gd").all()


def network_among(candidates):
    """The verdict on a network at (1, 0, 0), among candidates by name and place relative to it in the plane
    of the last two coordinates."""
    f = np.array([1.0, 0.0, 0.0])
    trained = xr.Dataset({"test": (("point", "output"), f[:, None]), "status": ((), "converged")})
    places = np.array([f + np.array([0, *step]) for step in candidates.values()])[..., None]
    predicted = xr.Dataset(
        {"test": (("predictor", "point", "output"), places)}, coords={"predictor": [*candidates]}
    )
    return nearest_minimizer(trained, predicted, None, WITHIN)


# Candidates by name → their places in the plane around the network, and what the verdict must be: worked out
# by hand from the distances. The tolerance is .05.
VERDICTS = {
    "a name": ({"a": (0.04, 0), "b": (-0.3, 0)}, "a", 0.04, "b", 0.26),
    "alone, near": ({"a": (0.04, 0)}, "a", 0.04, "", np.nan),
    "alone, far": ({"a": (0.06, 0)}, NONE, 0.06, "", np.nan),
    "the nearest of several that are all far": ({"a": (0.06, 0), "b": (-0.3, 0)}, NONE, 0.06, "", np.nan),
    "between two": ({"a": (0.03, 0.01), "b": (-0.03, 0.012)}, NONE, np.hypot(0.03, 0.01), "", np.nan),
    "at a corner of three": (
        {"a": (0.04, 0), "b": (-0.3, 0), "c": (0.04, 0.065)},  # c is .076 away, .065 from a
        NONE,
        0.04,
        "",
        np.nan,
    ),
    "two theories of one, not told": (
        {"flow": (0.006, 0), "at_step": (0.004, 0.001), "far": (0.2, 0)},
        "flow or at_step",
        np.hypot(0.004, 0.001),
        "far",
        0.2 - np.hypot(0.004, 0.001),
    ),
    "two theories of one, told": (
        {"flow": (0.035, 0), "at_step": (0.01, 0), "far": (0.2, 0)},
        "at_step",
        0.01,
        "flow",
        0.025,
    ),
    "on one of two that are near each other": ({"a": (0, 0), "b": (0.001, 0)}, "a", 0, "b", 0.001),
    "one of two that are not told is too far": ({"a": (0.04, 0), "b": (0.06, 0)}, NONE, 0.04, "", np.nan),
    "copies but for rounding": (
        {"a": (0.04, 1e-8), "b": (0.04, 0), "c": (1, 0)},
        "a",
        0.04,
        "c",
        0.96,
    ),
}


@pytest.mark.parametrize("case", VERDICTS)
def test_the_verdict_is_none_where_no_name_is_honest(case):
    """None where even the nearest is farther than the tolerance, or where the network is not nearer to it
    than half its distance from another minimizer; theories of one minimizer are named together; the distance
    is that of the nearest in any case, the lead that over the nearest which is not named."""
    candidates, verdict, distance, following, lead = VERDICTS[case]
    found = network_among(candidates)
    assert found.nearest.item() == verdict
    assert found.nearest_distance.item() == pytest.approx(distance, abs=1e-12)
    assert found.nearest_next.item() == following
    assert found.nearest_lead.item() == pytest.approx(lead, abs=1e-7, nan_ok=True)


def test_the_verdict_depends_on_no_order_or_scale():
    """Candidates the other way round, and all functions times a number: the same names and numbers."""
    for case, (candidates, verdict, *_) in VERDICTS.items():
        if case != "copies but for rounding":  # of which the first is named
            backward = network_among(dict(reversed(candidates.items()))).nearest.item()
            assert set(named(backward)) == set(named(verdict))
    nodes = truth(CHOSEN)
    before = nearest_minimizer(*nodes, WITHIN)
    after = nearest_minimizer(*(node.assign(test=1e3 * node.test) for node in nodes), WITHIN)
    xr.testing.assert_allclose(after, before, rtol=1e-9)


def test_a_wider_tolerance_names_more():
    """What is none at a small tolerance, because it is far, is a name at a greater one; distances are the
    same."""
    trained, predicted, references = truth(CHOSEN)
    close = nearest_minimizer(trained, predicted, references, 1e-4)
    wide = nearest_minimizer(trained, predicted, references, WITHIN)
    assert (close.nearest == NONE).all()
    assert (wide.nearest == CHOSEN).all()
    for name in ("distance_to", "nearest_distance"):
        xr.testing.assert_equal(close[name], wide[name])
    assert (close.nearest.attrs["within"], wide.nearest.attrs["within"]) == (1e-4, WITHIN)


def test_points_that_a_cell_does_not_have_are_no_distance():
    """A block may hold fewer test points or outputs for some cells: padded with NaN everywhere."""
    trained, predicted, _ = truth(CHOSEN)
    whole = nearest_minimizer(
        trained.isel(point=slice(5)), predicted.isel(point=slice(5)), None, WITHIN, ONE_DATA
    )
    first = xr.DataArray(np.arange(POINTS) < 5, dims="point")
    padded = (node.assign(test=node.test.where(first)) for node in (trained, predicted))
    found = nearest_minimizer(*padded, None, WITHIN, ONE_DATA)
    xr.testing.assert_allclose(found.distance_to, whole.distance_to, rtol=1e-12)
    xr.testing.assert_allclose(found.seed_spread, whole.seed_spread, rtol=1e-12)


def test_a_prediction_that_failed_is_never_the_nearest():
    """NaN at any point is no distance; where all are missing there is nothing to compare with."""
    trained, predicted, references = truth(CHOSEN)
    predicted.test[0, 0, 0, 0, 3, 1] = np.nan
    found = nearest_minimizer(trained, predicted, references, WITHIN)
    assert np.isnan(found.distance_to.sel(minimizer="linearized")[0, 0, 0])
    assert found.distance_to.sel(minimizer="linearized").isnull().sum() == 1
    assert found.nearest[0, 0, 0] == "ntk"
    predicted.test[:, 0, 0, 0] = np.nan
    found = nearest_minimizer(trained, predicted, None, WITHIN)
    assert found.nearest[0, 0, 0] == NOTHING
    assert (found.nearest == NOTHING).sum() == 1


def test_without_a_theory_there_is_no_answer():
    trained, _, _ = truth(CHOSEN)
    assert nearest_minimizer(trained, None, None, WITHIN) is None
    assert nearest_minimizer(trained, None, xr.Dataset({"jitter": 0.0}), WITHIN) is None


# The map


def study(status="converged", fixed=True):
    trained, predicted, references = truth(CHOSEN)
    trained["status"] = trained.status.astype("U16")
    trained.status[0, 0, 0] = status
    trained.status[1, 1] = status
    return two_nodes(
        trained, nearest_minimizer(trained, predicted, references, WITHIN, ONE_DATA if fixed else None)
    )


def two_nodes(trained, nearest):
    return xr.DataTree.from_dict({"trained/main": trained, "nearest/main": nearest})


@pytest.mark.parametrize("fixed", [True, False])
def test_the_map_says_what_the_dataset_says(fixed):
    """Per place the answer of most seeds, how many gave it, its mean distance, and that over the spread."""
    tree = study("stopped", fixed)
    node = tree["nearest/main"].ds
    table = figure.tabulate(tree, "main")
    assert len(table) == 4
    assert set(table.x_axis) == {"width"}
    assert set(table.y_axis) == {"scale"}
    for row in table.itertuples():
        here = node.sel(width=int(row.x_label), scale=float(row.y_label))
        if (row.x_label, row.y_label) == ("16", "2"):
            assert (row.nearest, row.votes, row.n) == ("stopped", 4, 0)
            assert np.isnan(row.estimate)
            continue
        kept = here.nearest != "stopped"
        assert row.nearest == str(CHOSEN.sel(width=int(row.x_label), scale=float(row.y_label)).values)
        assert row.votes == row.n == int(kept.sum())
        distances = here.distance_to.sel(minimizer=row.nearest).values[kept]
        assert row.estimate == pytest.approx(distances.mean(), rel=1e-12)
        assert row.low <= row.estimate <= row.high
        if fixed:
            assert row.spread == pytest.approx(distances.mean() / float(here.seed_spread), rel=1e-12)
        else:
            assert np.isnan(row.spread)


def test_the_majority_decides_and_is_counted():
    """Three seeds of four: their answer, their number, but the distance of all."""
    tree = study()
    node = tree["nearest/main"].to_dataset()
    node.nearest[0, 0, 3] = "interpolant"
    table = figure.tabulate(two_nodes(tree["trained/main"].ds, node), "main")
    row = table.iloc[0]
    assert (row.nearest, row.votes, row.n) == ("ntk", 3, 4)
    node.nearest[0, 0] = ["interpolant", "interpolant", "ntk", "ntk"]
    row = figure.tabulate(two_nodes(tree["trained/main"].ds, node), "main").iloc[0]
    assert (row.nearest, row.votes, row.n) == ("ntk", 2, 4), "of two with as many votes the nearer"


def test_further_axes_are_panels_and_no_axis_is_one_cell():
    tree = study()
    both = [tree[f"{kind}/main"].to_dataset() for kind in ("trained", "nearest")]
    optimizers = pd.Index(["gd", "adam"], name="optimizer")
    more = [xr.concat([node, node], optimizers).transpose("width", "scale", ...) for node in both]
    table = figure.tabulate(two_nodes(*more), "main")
    assert list(dict.fromkeys(table.panel)) == ["optimizer gd", "optimizer adam"]
    assert len(table) == 8
    assert len(drawn(table).axes) == 2
    table = figure.tabulate(two_nodes(*(node.isel(width=0, scale=0, drop=True) for node in both)), "main")
    assert len(table) == 1
    drawn(table)


def drawn(table):
    with styled():
        picture = figure.draw(table)
        picture.draw_without_rendering()
    return picture


def test_every_answer_is_written_in_its_cell():
    """Readable without colour: name, seeds and distance; a cell without an answer says why, on hatching."""
    table = figure.tabulate(study("diverged"), "main")
    (axes,) = drawn(table).axes
    words = {(round(t.get_position()[0]), round(t.get_position()[1])): t.get_text() for t in axes.texts}
    assert len(words) == 4
    assert "diverged" in words[1, 1]
    assert "4 networks" in words[1, 1]
    for row in table[table.nearest != "diverged"].itertuples():
        text = words[[8, 16].index(int(row.x_label)), [1, 2].index(int(row.y_label))]
        assert row.nearest in text
        assert f"{row.votes} of {row.n} seeds" in text
        assert f"{100 * row.estimate:.2g} % [" in text
        assert f"lead {100 * row.lead:.0f} %" in text
        assert f"{row.spread:.2g} of spread" in text
    hatched = [patch for patch in axes.patches if patch.get_hatch()]
    assert len(hatched) == 1
    shades = {tuple(patch.get_facecolor()) for patch in axes.patches if not patch.get_hatch()}
    luminance = sorted(np.dot(shade[:3], (0.3, 0.59, 0.11)) for shade in shades)
    assert np.diff(luminance).min() > 0.1


def test_none_is_drawn_as_none():
    """White and large, and in small letters which is the nearest and how far it stands; two names that are
    not told stand below each other."""
    trained, predicted, references = truth(CHOSEN)
    trained["status"] = trained.status.astype("U16")
    trained.test[0, 0] *= 1.5  # too far from every minimizer
    rival = predicted.sel(predictor=["linearized"]).assign_coords(predictor=["its recursion"])
    rival.test[0, 1, 0] += 1e-3
    tree = two_nodes(
        trained, nearest_minimizer(trained, xr.concat([predicted, rival], "predictor"), references, WITHIN)
    )
    table = figure.tabulate(tree, "main")
    row = table.iloc[0]
    distances = tree["nearest/main"].ds.distance_to[0, 0].mean("seed")
    assert (row.nearest, row.votes, row.n, row.candidate) == (NONE, 4, 4, "ntk")
    assert row.estimate == pytest.approx(distances.min().item(), rel=1e-12)
    assert np.isnan(row.lead)
    assert table.nearest.tolist().count("linearized or its recursion") == 1
    (axes,) = drawn(table).axes
    (none,) = [text for text in axes.texts if text.get_text() == NONE]
    (small,) = [text for text in axes.texts if "nearest ntk" in text.get_text()]
    assert "4 of 4 seeds" in small.get_text()
    assert f"{100 * row.estimate:.2g} % [" in small.get_text()
    assert small.get_fontsize() < none.get_fontsize()
    assert none.get_position()[0] == small.get_position()[0] == 0
    white = [patch for patch in axes.patches if patch.get_facecolor()[:3] == (1, 1, 1)]
    assert len(white) == 1
    assert any("linearized\nor its recursion\n" in text.get_text() for text in axes.texts)


def test_the_picture_is_drawn_from_its_file(tmp_path):
    """Through .csv, where a missing number is an empty word; bytes repeat."""
    tree = study("stopped", fixed=False)
    encoding = {node.path: string_encoding(node.to_dataset(inherit=False)) for node in tree.subtree}
    write_atomically(tree, tmp_path / "dataset.nc", encoding=encoding)
    bytes_of = []
    for name in ("one", "two"):
        files = [tmp_path / f"{name}.{kind}" for kind in ("csv", "png", "svg")]
        draw_figure(figure.__name__, ["main"], tmp_path / "dataset.nc", files[0], files[1:])
        bytes_of.append([file.read_bytes() for file in files])
    assert bytes_of[0] == bytes_of[1]
    pd.testing.assert_frame_equal(
        read_table(files[0]).astype({"x_label": str, "y_label": str}),
        figure.tabulate(tree, "main"),
        rtol=1e-9,
        check_dtype=False,
    )
