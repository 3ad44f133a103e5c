"""The answer for every cell: the nearest minimizer, its distance, and none where nothing converged."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from tests.unit.helpers import draw_figure

from minima.findings.drawing import read_table
from minima.findings.figures import nearest_minimizer as figure
from minima.findings.nearest import NOTHING, nearest_minimizer
from minima.findings.style import styled
from minima.netcdf import string_encoding, write_atomically

pytestmark = pytest.mark.filterwarnings("error")
DIMS = {"width": [8, 16], "scale": [1.0, 2.0], "seed": [0, 1, 2, 3]}
POINTS, OUTPUTS = 7, 2
rng = np.random.default_rng(0)


def functions(dims):
    """Random functions over some dimensions."""
    shape = tuple(map(len, dims.values()))
    values = rng.normal(size=(*shape, POINTS, OUTPUTS))
    return xr.DataArray(values, coords=dims, dims=(*dims, "point", "output"))


def truth(chosen):
    """Trained networks that stand at a random distance, at most a twentieth, from the minimizer that `chosen`
    [width, scale] names: a predictor of each network or a reference of each seed."""
    predicted = functions({"predictor": ["linearized", "interpolant"], **DIMS})
    references = functions({"seed": DIMS["seed"], "reference": ["ntk", "rbf gamma=0.5"]})
    names = {"ntk": references.sel(reference="ntk"), "linearized": predicted.sel(predictor="linearized")}
    both = {name: values.broadcast_like(predicted[0]).transpose(*DIMS, ...) for name, values in names.items()}
    net = xr.where(chosen == "ntk", both["ntk"], both["linearized"]).transpose(*DIMS, "point", "output")
    step = functions(DIMS)
    step *= 0.05 * rng.uniform(size=DIMS_SHAPE) * norm(net) / norm(step)
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
    found = nearest_minimizer(trained, predicted, references)
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
    before = nearest_minimizer(trained, predicted, references, ONE_DATA)
    trained["status"] = trained.status.astype("U16")
    trained.status[1, 0, 2] = status
    if status != "stopped":
        trained.test[1, 0, 2] = np.nan
    found = nearest_minimizer(trained, predicted, references, ONE_DATA)
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
    found = nearest_minimizer(trained, predicted, references, ONE_DATA).seed_spread
    assert found.dims == ("width", "scale")
    for width, scale in np.ndindex(found.shape):
        expected = spread(trained.test[width, scale].values)
        assert found[width, scale] == pytest.approx(expected, rel=1e-12)


def test_seeds_that_share_data_in_groups_are_compared_within_them():
    """Pairs of seeds on the same rows: never a distance between functions on different rows."""
    trained, predicted, _ = truth(CHOSEN)
    trained.test[:, :, 2:] += 100
    found = nearest_minimizer(trained, predicted, None, [7, 7, 3, 3]).seed_spread
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
    found = nearest_minimizer(trained, predicted, None)
    assert (found.nearest == "linearized").all()
    # but one that is really nearer does
    predicted.test[2] = (copies + trained.test) / 2
    assert (nearest_minimizer(trained, predicted, None).nearest == "linearized_gd").all()


def test_points_that_a_cell_does_not_have_are_no_distance():
    """A block may hold fewer test points or outputs for some cells: padded with NaN everywhere."""
    trained, predicted, _ = truth(CHOSEN)
    whole = nearest_minimizer(trained.isel(point=slice(5)), predicted.isel(point=slice(5)), None, ONE_DATA)
    first = xr.DataArray(np.arange(POINTS) < 5, dims="point")
    padded = (node.assign(test=node.test.where(first)) for node in (trained, predicted))
    found = nearest_minimizer(*padded, None, ONE_DATA)
    xr.testing.assert_allclose(found.distance_to, whole.distance_to, rtol=1e-12)
    xr.testing.assert_allclose(found.seed_spread, whole.seed_spread, rtol=1e-12)


def test_a_prediction_that_failed_is_never_the_nearest():
    """NaN at any point is no distance; where all are missing there is nothing to compare with."""
    trained, predicted, references = truth(CHOSEN)
    predicted.test[0, 0, 0, 0, 3, 1] = np.nan
    found = nearest_minimizer(trained, predicted, references)
    assert np.isnan(found.distance_to.sel(minimizer="linearized")[0, 0, 0])
    assert found.distance_to.sel(minimizer="linearized").isnull().sum() == 1
    assert found.nearest[0, 0, 0] == "ntk"
    predicted.test[:, 0, 0, 0] = np.nan
    found = nearest_minimizer(trained, predicted, None)
    assert found.nearest[0, 0, 0] == NOTHING
    assert (found.nearest == NOTHING).sum() == 1


def test_without_a_theory_there_is_no_answer():
    trained, _, _ = truth(CHOSEN)
    assert nearest_minimizer(trained, None, None) is None
    assert nearest_minimizer(trained, None, xr.Dataset({"jitter": 0.0})) is None


# The map


def study(status="converged", fixed=True):
    trained, predicted, references = truth(CHOSEN)
    trained["status"] = trained.status.astype("U16")
    trained.status[0, 0, 0] = status
    trained.status[1, 1] = status
    return two_nodes(trained, nearest_minimizer(trained, predicted, references, ONE_DATA if fixed else None))


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
        assert f"{row.estimate:.2g} [" in text
        assert f"{row.spread:.2g} of spread" in text
    hatched = [patch for patch in axes.patches if patch.get_hatch()]
    assert len(hatched) == 1
    shades = {tuple(patch.get_facecolor()) for patch in axes.patches if not patch.get_hatch()}
    luminance = sorted(np.dot(shade[:3], (0.3, 0.59, 0.11)) for shade in shades)
    assert np.diff(luminance).min() > 0.1


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
