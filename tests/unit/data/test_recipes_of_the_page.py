"""The recipes of docs/your-own-study.md prepare data as printed."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.datasets import load_iris
from tests.unit.openml import Network, connected_to

from minima.data.pool import DataError
from minima.data.prepare import prepare

PAGE = (Path(__file__).parents[3] / "docs" / "your-own-study.md").read_text(encoding="utf-8")
BLOCKS = map(yaml.safe_load, re.findall(r"^```yaml\n(data:.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
RECIPES = {name: recipe for block in BLOCKS for name, recipe in block["data"].items()}


@pytest.fixture
def files(tmp_path, monkeypatch):
    """The files that the page names, in the working directory."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    irises = load_iris()
    names = [name.removesuffix(" (cm)").replace(" ", "_") for name in irises.feature_names]
    flowers = pd.DataFrame(irises.data, columns=names)
    flowers.assign(species=irises.target_names[irises.target]).to_csv("flowers.csv", index=False)
    prices = pd.DataFrame(rng.random((200, 3)), columns=["rooms", "year", "price"])
    prices.to_csv("prices.csv", index=False, sep=";", decimal=",")
    np.savez("photos.npz", x=rng.integers(0, 256, (200, 8, 8, 3)), y=rng.choice(["cat", "dog"], 200))
    return tmp_path


def prepared(name, folder):
    recipe = RECIPES[name]
    if "address" in recipe:  # nobody's, on the page
        file = folder / Path(recipe["address"]).name
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        recipe = recipe | {"address": file.as_uri(), "sha256": sha256}
    return prepare(recipe, [0], folder / "data")


def test_the_page_has_these_recipes():
    assert {*RECIPES} == {"flowers", "prices", "sensors", "photos", "published", "irises", "same_irises"}


@pytest.mark.parametrize(
    ("name", "shape", "outputs"),
    [("flowers", (2,), 1), ("prices", (2,), 1), ("photos", (3, 8, 8), 2), ("published", (4,), 3)],
)
def test_recipes_of_files_prepare_data(files, name, shape, outputs):
    data = prepared(name, files)
    assert tuple(np.atleast_1d(data.x_train.attrs["row_shape"])) == shape
    assert data.sizes["output"] == outputs
    assert np.isfinite(data.x_train).all()


def test_the_recipe_of_a_parquet_file_prepares_data(files):
    pytest.importorskip("pyarrow")
    rng = np.random.default_rng(0)
    sensors = pd.DataFrame(rng.random((200, 3)), columns=["a", "b", "c"])
    sensors.assign(state=rng.choice(["on", "off", "idle"], 200)).to_parquet("sensors.parquet")
    assert prepared("sensors", files).sizes["output"] == 3


@pytest.mark.parametrize(("name", "outputs"), [("irises", 3), ("same_irises", 1)])
def test_recipes_of_openml_prepare_data(files, name, outputs):
    with connected_to(Network()):
        assert prepared(name, files).sizes["output"] == outputs


def test_without_its_files_a_recipe_of_the_page_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"there is no file flowers\.csv"):
        prepared("flowers", tmp_path)
