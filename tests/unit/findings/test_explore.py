"""notebooks/explore.ipynb runs on a study's dataset and answers what is true of it."""

import pytest
from tests.unit.notebooks import code_of, variables_of
from tests.unit.worlds import World

from minima.findings.nearest import nearest_minimizer


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """The notebook's variables after it ran where a run of this world has left its results."""
    tree = World().tree()
    trained, predicted = (tree[f"{kind}/scale"].to_dataset() for kind in ("trained", "predicted"))
    trained["status"][{"width": 0, "seed": 0}] = "stopped"
    tree["trained/scale"].ds = trained
    tree["nearest/scale"] = tree.__class__(nearest_minimizer(trained, predicted, None, 1))
    folder = tmp_path_factory.mktemp("explore")
    (folder / "results" / "init_size").mkdir(parents=True)
    tree.to_netcdf(folder / "results" / "init_size" / "dataset.nc", engine="netcdf4")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return variables_of("explore")


def test_each_network_has_its_minimizer(answers):
    """In this world all end at their linearization, but for those that stopped."""
    counts = answers["counts"].unstack(fill_value=0)
    assert counts.loc[64].linearized.tolist() == [9] * 5
    assert counts.loc[64].stopped.tolist() == [1] * 5
    assert counts.loc[256].linearized.tolist() == [10] * 5


def test_a_large_initialization_costs_accuracy(answers):
    errors = answers["errors"]
    assert errors.dims == ("width", "scale")
    assert (errors.sel(scale=3) > errors.sel(scale=0.5)).all()
    trained = answers["trained"].test_error.sel(width=64)
    assert errors.sel(width=64).values == pytest.approx(trained[:, 1:].mean("seed").values)


def test_width_makes_a_network_linear(answers):
    """The world's distance falls as width^(−1/2)."""
    gap = answers["gap"].median("seed")
    assert float(gap.sel(width=64) / gap.sel(width=4096)) == pytest.approx(8, rel=0.3)


def test_each_question_takes_three_lines():
    _, *questions = code_of("explore")
    assert [len(cell["source"]) for cell in questions] == [3, 3, 3]
