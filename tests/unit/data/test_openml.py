"""Tables of openml.org, sent by a network of the test's own."""

import gzip
import io
import json
import urllib.request
from email.message import Message
from pathlib import Path
from urllib.error import URLError
from urllib.response import addinfourl

import numpy as np
import pytest
from sklearn import datasets

from minima.data.pool import DataError
from minima.data.prepare import prepare

FILES = Path(datasets.__file__).parent / "tests" / "data" / "openml" / "id_61"
RECIPE = {"source": "openml", "train_size": 60, "test_size": 40, "normalize": "none"}


class Network(urllib.request.HTTPSHandler):
    """openml.org as far as Fisher's irises go, its number 61; it counts what it is asked for."""

    def __init__(self, changes=()):
        super().__init__()
        self.asked, self.changes = [], dict(changes)

    def https_open(self, request):
        path = request.selector
        self.asked.append(path)
        parts = {"/data/features/": "jdf-61.json", "/data/qualities/": "jdq-61.json"}
        name = next((f"api-v1-{file}.gz" for part, file in parts.items() if part in path), None)
        if "data_name" in path:
            name = "api-v1-jdl-dn-iris-l-2-dv-1.json.gz"
        elif "download" in path:
            name = "data-v1-dl-61.arff.gz"
        elif name is None:
            name = "api-v1-jd-61.json.gz"
        content = gzip.decompress((FILES / name).read_bytes())
        for old, new in self.changes.get(name, []):
            assert old in content
            content = content.replace(old, new)
        response = addinfourl(io.BytesIO(content), Message(), request.full_url, 200)
        response.msg = "OK"
        return response


class NoNetwork(urllib.request.HTTPSHandler):
    def https_open(self, request):
        raise URLError("Name or service not known")


@pytest.fixture
def connected():
    """A function that connects to a network."""
    if not FILES.is_dir():
        pytest.skip("this scikit-learn comes without the files of its own tests")

    def connect(handler):
        urllib.request.install_opener(urllib.request.build_opener(handler))
        return handler

    yield connect
    urllib.request.install_opener(None)


@pytest.mark.parametrize("which", [{"data_id": 61}, {"name": "iris", "version": 1}])
def test_a_table_comes_once_from_the_network_with_its_words(connected, tmp_path, which):
    network = connected(Network())
    recipe = RECIPE | which | {"labels": "onehot"}
    data = prepare(recipe, [0], tmp_path)
    assert json.loads(data.y_train.attrs["words"]) == {
        "0": "Iris-setosa",
        "1": "Iris-versicolor",
        "2": "Iris-virginica",
    }
    rows = datasets.load_iris().data
    assert {tuple(row) for row in data.x_train.values[0]} <= {tuple(row) for row in rows}
    said = json.loads(data.attrs["openml"])
    assert (said["data_id"], said["version"], said["name"]) == (61, 1, "iris")
    assert len(said["md5_checksum"]) == 32
    assert data.attrs["source"] == "https://www.openml.org/d/61"
    assert network.asked
    connected(NoNetwork())
    assert prepare(recipe, [0], tmp_path).digest.item() == data.digest.item()


def test_classes_and_columns_are_those_asked_for(connected, tmp_path):
    connected(Network())
    chosen = {"classes": ["Iris-virginica", "Iris-setosa"], "columns": ["petalwidth", "sepallength"]}
    data = prepare(RECIPE | {"data_id": 61, "test_size": 20} | chosen, [0], tmp_path)
    rows = datasets.load_iris().data[:, [3, 0]]
    assert {tuple(row) for row in data.x_train.values[0]} <= {tuple(row) for row in rows}
    np.testing.assert_array_equal(data.y_train[..., 0], np.where(data.label_train == 2, -1, 1))


@pytest.mark.filterwarnings("ignore:A network error")
def test_without_a_network_it_says_so(connected, tmp_path):
    connected(NoNetwork())
    with pytest.raises(DataError) as caught:
        prepare(RECIPE | {"data_id": 61}, [0], tmp_path)
    said = [
        "number 61",
        str(tmp_path / "openml"),
        "openml.org failed",
        "not known",
        "where there is a network",
    ]
    assert [part for part in said if part not in str(caught.value)] == []


@pytest.mark.filterwarnings("ignore:Invalid cache")
@pytest.mark.parametrize(
    ("options", "changes", "message"),
    [
        ({"target": "petalwidth"}, {}, "column class holds 'Iris-setosa' in row 1"),
        ({"target": "colour"}, {}, "cannot be read: .*colour"),
        ({"columns": ["colour"]}, {}, "no column colour: it holds sepallength"),
        ({}, {}, r"labels: sign needs exactly two classes.*classes: \['Iris-setosa', 'Iris-versicolor'\]"),
        ({"labels": "value"}, {}, r"column class holds words \(Iris-setosa"),
        ({}, {"data-v1-dl-61.arff.gz": [(b"5.1,3.5", b"5.2,3.5")]}, "md5 checksum"),
        (
            {},
            {"api-v1-jdf-61.json.gz": [(b'"is_target": "true"', b'"is_target": "false"')]},
            "0 targets.*name one",
        ),
    ],
)
def test_tables_that_do_not_fit_are_refused_by_name(connected, tmp_path, options, changes, message):
    connected(Network(changes))
    with pytest.raises(DataError, match=rf"openml: number 61.*{message}"):
        prepare(RECIPE | {"data_id": 61} | options, [0], tmp_path)
