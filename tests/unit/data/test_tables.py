"""The user's tables, CSV and Parquet: columns, words, separators, addresses, and what is refused by name."""

import builtins
import hashlib
import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from minima.data.files import load_split, save
from minima.data.pool import DataError
from minima.data.prepare import prepare, prepared

FLOWERS = "long,wide,kind\n1,2,setosa\n3,4,virginica\n5,6,setosa\n8,7,virginica\n"
PYARROW = "pyarrow"


def rows_of(path, **options):
    """All rows of a table but one, as they are: x, y and what the file says of them."""
    recipe = {"source": "file", "path": str(path), "train_size": 3, "test_size": 1, "normalize": "none"}
    data = prepare(recipe | options, [0], ".").isel(split=0)
    x = np.concatenate([data.x_train, data.x_test])
    y = np.concatenate([data.y_train, data.y_test])
    order = np.argsort(x[:, 0])
    return x[order], y[order], data


def csv_of(folder, text, **encoding):
    path = folder / "a.csv"
    path.write_text(text, **encoding)
    return path


# What a table says


def test_words_are_classes_in_alphabetical_order_and_the_file_says_so(tmp_path):
    path = csv_of(tmp_path, FLOWERS)
    _, y, data = rows_of(path, labels="sign")
    assert y.tolist() == [[-1], [1], [-1], [1]]
    assert json.loads(data.y_train.attrs["words"]) == {"0": "setosa", "1": "virginica"}
    assert data.label_train.attrs["words"] == data.y_train.attrs["words"]
    assert set(data.label_train.values) <= {0, 1}


def test_words_in_an_order_of_the_users(tmp_path):
    path = csv_of(tmp_path, FLOWERS)
    assert rows_of(path, labels="sign", classes=["virginica", "setosa"])[1].tolist() == [[1], [-1], [1], [-1]]
    onehot = rows_of(path, labels="onehot", classes=["virginica", "setosa"])[1]
    assert onehot.tolist() == [[0, 1], [1, 0], [0, 1], [1, 0]]


def test_words_stand_in_the_prepared_file(tmp_path):
    recipe = {"source": "file", "path": str(csv_of(tmp_path, FLOWERS)), "labels": "sign"}
    save(prepared(recipe | {"train_size": 3, "test_size": 1}, [0], "."), tmp_path / "data.nc")
    read = load_split(tmp_path / "data.nc", 0)
    assert json.loads(read.y_train.attrs["words"]) == {"0": "setosa", "1": "virginica"}


def test_numbers_that_are_written_as_words_are_numbers(tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((4, 2)), np.array(["3", "8", "3", "8"])
    np.savez(tmp_path / "words.npz", x=x, y=y)
    np.savez(tmp_path / "numbers.npz", x=x, y=y.astype(int))
    digests = [
        rows_of(tmp_path / f"{name}.npz", labels="sign", classes=[8, 3])[2].digest.item()
        for name in ("words", "numbers")
    ]
    assert digests[0] == digests[1]


@pytest.mark.parametrize("name", ["a.npz", "a.nc", "bytes.npz"])
def test_words_of_arrays_are_those_of_tables(tmp_path, name):
    x, kinds = np.array([[1.0, 2], [3, 4], [5, 6], [8, 7]]), np.array(["setosa", "virginica"] * 2)
    if name == "a.nc":
        xr.Dataset({"x": (("row", "column"), x), "y": ("row", kinds)}).to_netcdf(tmp_path / name)
    else:
        np.savez(tmp_path / name, x=x, y=kinds.astype("S") if "bytes" in name else kinds)
    _, _, data = rows_of(tmp_path / name, labels="sign")
    _, _, table = rows_of(csv_of(tmp_path, FLOWERS), labels="sign")
    assert data.digest.item() == table.digest.item()
    assert data.y_train.attrs["words"] == table.y_train.attrs["words"]


def test_the_words_of_training_and_test_rows_are_one_alphabet(tmp_path):
    """Also those that only the test rows have."""
    x = np.arange(4.0)[:, None]
    np.savez(tmp_path / "a.npz", x=x, y=list("bcbc"), x_test=x, y_test=list("abac"))
    _, _, data = rows_of(tmp_path / "a.npz", labels="sign", classes=["c", "b"], train_size=4)
    assert json.loads(data.y_train.attrs["words"]) == {"2": "c", "1": "b"}
    assert data.label_test.item() in (1, 2)
    np.testing.assert_array_equal(data.y_train[:, 0], np.where(data.label_train == 1, 1, -1))


def test_columns_are_taken_in_the_order_asked_for(tmp_path):
    path = csv_of(tmp_path, "kind,note,long,wide\na,red,1,2\nb,blue,3,4\na,,5,6\nb,x,8,7\n")
    x, y, _ = rows_of(path, labels="sign", target="kind", columns=["wide", "long"])
    assert x.tolist() == [[2, 1], [4, 3], [6, 5], [7, 8]]
    assert y.tolist() == [[-1], [1], [-1], [1]]


@pytest.mark.parametrize(
    ("text", "options"),
    [
        (FLOWERS.replace(",", ";"), {}),
        (FLOWERS.replace(",", "\t"), {}),
        (FLOWERS.replace(",", ", ").replace("setosa", "setosa  "), {}),
        (FLOWERS.replace(",", "  "), {"separator": "space"}),
        (FLOWERS.replace("long", '"long, with; all"'), {}),
        (FLOWERS.replace("long", "long; cm"), {"separator": "comma"}),
        (FLOWERS.replace(",", ";").replace("1;2", "1,0;2,0"), {"decimal": "comma"}),
        (FLOWERS.replace("setosa", '"setosa"').replace("\n", "\r\n") + "\r\n", {}),
        ("\ufeff" + FLOWERS, {}),
    ],
    ids=["semicolon", "tab", "spaces", "space", "quoted", "named", "decimal comma", "quotes, CRLF", "BOM"],
)
def test_ways_of_writing_a_table_are_the_same_table(tmp_path, text, options):
    _, _, plain = rows_of(csv_of(tmp_path, FLOWERS), labels="sign")
    path = csv_of(tmp_path, text, encoding="utf-8", newline="")
    assert rows_of(path, labels="sign", **options)[2].digest.item() == plain.digest.item()


def test_a_class_may_be_called_like_a_missing_value(tmp_path):
    path = csv_of(tmp_path, "x,country\n1,NA\n2,None\n3,NA\n4,None\n")
    _, _, data = rows_of(path, labels="sign")
    assert json.loads(data.y_train.attrs["words"]) == {"0": "NA", "1": "None"}


def test_numbers_are_read_to_the_last_bit(tmp_path):
    """Else a table would be other data than the same numbers in an array, and train its networks again."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1000, 2)) * 10.0 ** rng.integers(-300, 300, (1000, 1))
    np.savetxt(tmp_path / "a.csv", x, fmt="%.17g", delimiter=",", header="a,b", comments="")
    recipe = {"source": "file", "path": str(tmp_path / "a.csv"), "train_size": 999, "test_size": 1}
    read = prepare(recipe | {"normalize": "none"}, [0], ".").x_train.values[0, :, 0]
    assert set(read) <= set(x[:, 0])


# What is refused


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (
            FLOWERS,
            {},
            r"the last column holds words \(setosa, virginica …\): use labels: sign or labels: one",
        ),
        (FLOWERS, {"labels": "sign", "classes": ["setosa", "rosa"]}, r"no class rosa: .*\['setosa', 'virg"),
        (
            FLOWERS + "1,1,rosa\n",
            {"labels": "sign"},
            r"name two, as in classes: \['rosa', 'setosa'\], or use",
        ),
        (
            "x,y\n1,yes\n2,no\n",
            {"labels": "sign", "classes": [True, False]},
            "YAML takes yes and no .* quote",
        ),
        (
            FLOWERS.replace("3,4", "3,red"),
            {"labels": "sign"},
            r"wide holds 'red' in row 2.*columns: \[long\]",
        ),
        (FLOWERS, {"target": "long"}, "column kind holds 'setosa' in row 1"),
        (
            FLOWERS.replace("5,6", "5,?"),
            {"labels": "sign"},
            r"row 3, column wide\. Fill or drop these rows, or",
        ),
        (FLOWERS.replace("5,6", "inf,6"), {"labels": "sign"}, "row 3, column long"),
        (
            FLOWERS.replace("8,7,virginica", "8,7,"),
            {"labels": "sign"},
            r"row 4, column kind\. Fill or drop th",
        ),
        ("a,b\n" + ",1\n" * 8, {}, "row 5, column a and 3 more"),
        (
            FLOWERS,
            {"labels": "sign", "columns": ["long", "broad"]},
            "no column broad: it holds long, wide, ki",
        ),
        (FLOWERS, {"labels": "sign", "columns": ["long", "kind"]}, "kind is the target and one of columns"),
        ("a;b,c\n1,2\n", {}, "comma and semicolon both occur in the first line.*separator: semicolon"),
        ("a;b\n1,5;2\n", {}, "column a holds '1,5' in row 1.*or say decimal: comma"),
        (",a,b\n0,1,2\n1,3,4\n", {}, "column 1 has no name, as the index that pandas writes"),
        ("a,b\n1,2\n1,2,3\n", {}, "names 2 columns and its row 2 has 3"),
        ("a,b\n1,é\n", {"labels": "sign"}, "Save it as UTF-8"),
        ('a,b\n1,"2\n', {}, r"cannot be read|missing"),
    ],
)
def test_tables_that_do_not_fit_are_refused_with_the_mend(tmp_path, text, options, message):
    path = csv_of(tmp_path, text, encoding="latin-1")
    with pytest.raises(DataError, match=rf"a\.csv.*{message}"):
        rows_of(path, **options)


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        (
            ["a", "", "b", "b"],
            {"labels": "sign"},
            "y must hold one word per row, its class, and has no word in",
        ),
        (
            [["a", "b"]] * 4,
            {"labels": "sign"},
            "y must hold one word per row, its class, and has several words",
        ),
        (np.array([1j] * 4), {}, "y must hold real numbers or words, not complex128"),
        ([1, 2, np.nan, 1], {}, "y has missing or infinite values, the first in row 3"),
    ],
)
def test_targets_that_are_none_are_refused_by_name(tmp_path, y, options, message):
    np.savez(tmp_path / "a.npz", x=np.ones((4, 2)), y=y)
    with pytest.raises(DataError, match=rf"a\.npz: {message}"):
        rows_of(tmp_path / "a.npz", **options)


# Parquet


@pytest.fixture
def without_pyarrow(monkeypatch):
    there = builtins.__import__

    def imported(name, *args, **kwargs):
        if name.partition(".")[0] == PYARROW:
            raise ImportError(f"No module named {name}")
        return there(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", imported)


@pytest.mark.usefixtures("without_pyarrow")
def test_parquet_without_its_reader_says_what_to_install(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(
        DataError, match=r"a\.parquet: Parquet files need pyarrow.*pip install pyarrow.*\.csv"
    ):
        rows_of(tmp_path / "a.parquet")


FRAME = pd.DataFrame(
    {
        "long": np.array([1, 3, 5, 8], "int16"),
        "wide": np.array([2, 4, 6, 7], "float32"),
        "day": pd.date_range("2020-01-01", periods=4),
        "gap": pd.array([1, None, 3, 4], dtype="Int64"),
        "sort": pd.Categorical(list("abab")),
        "kind": ["setosa", "virginica", "setosa", "virginica"],
    }
)


@pytest.fixture(params=["from memory", "from disk"])
def parquet(request, tmp_path, monkeypatch):
    """FRAME as a Parquet file; where no reader is installed, only as what it would return."""
    path = tmp_path / "a.parquet"
    if request.param == "from disk":
        pytest.importorskip(PYARROW)
        FRAME.to_parquet(path)
    else:
        path.write_bytes(b"PAR1")
        monkeypatch.setattr(pd, "read_parquet", lambda path, engine: FRAME)
    return path


def test_parquet_and_csv_give_the_same_rows(parquet, tmp_path):
    columns = ["long", "wide"]
    _, _, data = rows_of(parquet, labels="sign", columns=columns)
    _, _, table = rows_of(csv_of(tmp_path, FLOWERS), labels="sign")
    assert data.digest.item() == table.digest.item()
    _, _, again = rows_of(parquet, labels="sign", columns=columns, target="sort", classes=["a", "b"])
    assert again.digest.item() == table.digest.item()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {},
            r"column day holds .*2020.*; column sort holds 'a' in row 1.*columns: \[long, wide, gap\]",
        ),
        ({"columns": ["long", "gap"]}, "row 2, column gap"),
        ({"columns": ["long"], "target": "day"}, "column day must hold real numbers or words, not Timestamp"),
        ({"columns": ["long"], "target": "price"}, "no column price: it holds long, wide, day"),
    ],
)
def test_parquet_that_does_not_fit_is_refused_by_name(parquet, options, message):
    with pytest.raises(DataError, match=rf"a\.parquet.*{message}"):
        rows_of(parquet, labels="sign", **options)


def test_what_is_no_parquet_file_is_refused_by_name(tmp_path):
    pytest.importorskip(PYARROW)
    (tmp_path / "a.parquet").write_bytes(b"no table")
    with pytest.raises(DataError, match=r"a\.parquet cannot be read"):
        rows_of(tmp_path / "a.parquet")


# Addresses


def test_a_table_is_downloaded_once_into_data_dir(tmp_path):
    there, data_dir = csv_of(tmp_path, FLOWERS), tmp_path / "data"
    recipe = {"source": "file", "address": there.as_uri(), "labels": "sign", "train_size": 3, "test_size": 1}
    recipe |= {"sha256": hashlib.sha256(there.read_bytes()).hexdigest()}
    first = prepare(recipe, [0], data_dir)
    there.unlink()
    assert prepare(recipe, [0], data_dir).digest.item() == first.digest.item()
    assert [path.name for path in data_dir.iterdir()] == ["a.csv"]
    assert json.loads(first.attrs["source_sha256"]) == {"a.csv": recipe["sha256"]}
    with pytest.raises(DataError, match=r"other\.csv and downloading it from file:.* failed.*by hand"):
        prepare(recipe | {"path": "other.csv"}, [0], data_dir)


def test_what_an_address_sends_must_be_what_is_meant(tmp_path):
    there = csv_of(tmp_path, FLOWERS)
    recipe = {"source": "file", "address": there.as_uri(), "sha256": "0" * 64, "labels": "sign"}
    with pytest.raises(DataError, match=r"a\.csv sent is damaged or another version \(sha256 .*expected 000"):
        prepare(recipe, [0], tmp_path / "data")
    assert not [*(tmp_path / "data").iterdir()]
