"""notebooks/your_study.ipynb runs, and says what is true."""

import shutil

import numpy as np
import pytest
from harness import ROOT
from tests.unit.notebooks import variables_of


@pytest.fixture(scope="module")
def found():
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        variables = variables_of("your_study")
    yield variables
    shutil.rmtree(variables["folder"])


def test_it_asks_for_the_price_trains_and_asks_again(found):
    """The second price is the one that the last cell shows: of the ten networks none is trained again."""
    assert "my_study" in found["plan"]
    states = {state: found["price"]["studies"]["my_study"][state] for state in ("cached", "new", "changed")}
    assert states == {"cached": 10, "new": 2, "changed": 0}
    assert (found["folder"] / "results" / "report.html").exists()


def test_its_verdict_is_that_of_its_dataset(found):
    """The ratio of mean errors over seeds; the claim is supported where all of the interval is above 1."""
    (part,) = found["verdict"]["parts"]
    errors = found["trained"].test_mse
    expected = float(errors.sel(scale=3).mean() / errors.sel(scale=1).mean())
    assert part["estimate"] == pytest.approx(expected)
    assert part["n"] == 5
    assert (part["verdict"] == "supported") == (part["low"] > 1)


def test_every_network_has_an_answer(found):
    names = {name for answer in np.ravel(found["answer"].nearest) for name in answer.split(" or ")}
    assert names <= {"linearized", "ntk", "none"}
    assert found["answer"].distance_to.notnull().all()
