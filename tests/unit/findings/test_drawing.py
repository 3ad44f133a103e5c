"""The job that draws a study's figures: a picture is drawn anew where its table or its code has changed."""

import shutil

import numpy as np
import pytest
import xarray as xr

from minima.findings.drawing import draw_figures
from minima.netcdf import tree_encoding, write_atomically

FIGURES = {
    "left": ("studies.bad_minima.figures.complexity", "one"),
    "right": ("studies.bad_minima.figures.complexity", "two"),
}
CODE = {"left": "a", "right": "b"}
SUFFIXES = ("csv", "png", "svg")


def block(number):
    rng = np.random.default_rng(number)
    dims, coords = ("init", "seed"), {"init": ["random", "adversarial"], "seed": [0, 1, 2]}
    found = {
        "distance": ((*dims, "layer"), rng.uniform(1, 2, (2, 3, 2))),
        "path_norm": ((*dims, "power"), rng.uniform(1, 2, (2, 3, 2))),
        "status": (dims, np.full((2, 3), "converged")),
    }
    return xr.Dataset(found, coords=coords)


@pytest.fixture
def job(tmp_path, caplog):
    """Draws the figures as the job does, whose output was deleted, and says which it drew."""
    caplog.set_level("INFO", "minima")

    def run(figures=FIGURES, code=CODE, second=2):
        tree = xr.DataTree.from_dict({"/trained/one": block(1), "/trained/two": block(second)})
        write_atomically(tree, tmp_path / "dataset.nc", encoding=tree_encoding(tree))
        shutil.rmtree(tmp_path / "figures", ignore_errors=True)
        caplog.clear()
        draw_figures(figures, code, tmp_path / "dataset.nc", tmp_path / "figures", tmp_path / "drawings")
        found = {path.name: path.read_bytes() for path in (tmp_path / "figures").iterdir()}
        assert set(found) == {f"{name}.{suffix}" for name in figures for suffix in SUFFIXES}
        assert len(list((tmp_path / "drawings").iterdir())) == 2 * len(figures), "of the last run alone"
        return [record.args[0] for record in caplog.records if record.msg == "drew %s"], found

    return run


def test_what_is_as_it_was_is_not_drawn_again(job):
    drawn, first = job()
    assert drawn == ["left", "right"]
    drawn, again = job()
    assert drawn == []
    assert again == first


def test_an_edited_figure_is_drawn_alone(job):
    job()
    assert job(code=CODE | {"right": "edited"})[0] == ["right"]


def test_a_dataset_draws_the_figures_whose_numbers_it_changes(job):
    _, first = job()
    drawn, after = job(second=3)
    assert drawn == ["right"]
    assert {name for name in first if first[name] != after[name]} == {f"right.{one}" for one in SUFFIXES}


def test_a_figure_more_draws_itself_and_one_less_nothing(job):
    job({"left": FIGURES["left"]})
    assert job()[0] == ["right"]
    assert job({"right": FIGURES["right"]})[0] == []
