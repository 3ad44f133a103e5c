"""Tables of openml.org, sent by a network of the tests' own."""

import json

import numpy as np
import pytest
from sklearn import datasets
from tests.unit.openml import Network, NoNetwork, connected_to

from minima.data.pool import DataError
from minima.data.prepare import prepare

RECIPE = {"source": "openml", "train_size": 60, "test_size": 40, "normalize": "none"}


@pytest.mark.parametrize("which", [{"data_id": 61}, {"name": "iris", "version": 1}])
def test_a_table_comes_once_from_the_network_with_its_words(tmp_path, which):
    recipe = RECIPE | which | {"labels": "onehot"}
    with connected_to(Network()) as network:
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
    with connected_to(NoNetwork()):
        assert prepare(recipe, [0], tmp_path).digest.item() == data.digest.item()


def test_classes_and_columns_are_those_asked_for(tmp_path):
    chosen = {"classes": ["Iris-virginica", "Iris-setosa"], "columns": ["petalwidth", "sepallength"]}
    with connected_to(Network()):
        data = prepare(RECIPE | {"data_id": 61, "test_size": 20} | chosen, [0], tmp_path)
    rows = datasets.load_iris().data[:, [3, 0]]
    assert {tuple(row) for row in data.x_train.values[0]} <= {tuple(row) for row in rows}
    np.testing.assert_array_equal(data.y_train[..., 0], np.where(data.label_train == 2, -1, 1))


@pytest.mark.filterwarnings("ignore:A network error")
def test_without_a_network_it_says_so(tmp_path):
    with connected_to(NoNetwork()), pytest.raises(DataError) as caught:
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
def test_tables_that_do_not_fit_are_refused_by_name(tmp_path, options, changes, message):
    refused = pytest.raises(DataError, match=rf"openml: number 61.*{message}")
    with connected_to(Network(changes)), refused:
        prepare(RECIPE | {"data_id": 61} | options, [0], tmp_path)
