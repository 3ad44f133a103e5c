"""Data that comes from files: the user's own, downloaded, missing or damaged."""

import gzip
import hashlib
import json
import lzma
import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from minima.data.fetch import fetch
from minima.data.idx import read_idx
from minima.data.pool import DataError
from minima.data.prepare import prepare
from minima.data.sources import mnist

ROLES = ("train_images", "train_labels", "test_images", "test_labels")


def idx_bytes(array):
    array = np.asarray(array, np.uint8)
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def idx_files(tmp_path):
    """A small idx recipe, its files beside `tmp_path`."""
    rng = np.random.default_rng(0)
    for part, rows in (("train", 50), ("test", 30)):
        images, labels = rng.integers(1, 256, (rows, 4, 3)), np.arange(rows) % 2
        (tmp_path / f"{part}_images.gz").write_bytes(gzip.compress(idx_bytes(images)))
        (tmp_path / f"{part}_labels").write_bytes(idx_bytes(labels))
    names = {role: f"{role}.gz" if role.endswith("images") else role for role in ROLES}
    return {"source": "idx", "train_size": 50, "test_size": 30, **names}


@pytest.fixture
def table(tmp_path):
    """A file recipe's table: x [40, 2, 2], y [40] in {-1, 1}."""
    rng = np.random.default_rng(1)
    return tmp_path, rng.standard_normal((40, 2, 2)), rng.permutation(np.repeat([-1, 1], 20))


def file_recipe(path, **options):
    return {"source": "file", "path": str(path), "train_size": 20, "test_size": 10, **options}


def test_idx_files_of_the_user(idx_files, tmp_path):
    data = prepare(idx_files | {"normalize": "none"}, [0], tmp_path)
    assert data.x_train.attrs["row_shape"].tolist() == [1, 4, 3]
    images, labels = read_idx(tmp_path / "test_images.gz"), read_idx(tmp_path / "test_labels")
    got = np.column_stack([data.label_test[0], data.x_test[0]])
    expected = np.column_stack([labels, images.reshape(30, -1)])
    np.testing.assert_array_equal(np.unique(got, axis=0), np.unique(expected, axis=0))
    assert set(json.loads(data.attrs["source_sha256"])) == {idx_files[role] for role in ROLES}


# CIFAR-10


def cifar_file(path, labels, seed=0):
    """Records with these labels and random pixels, which are returned."""
    pixels = np.random.default_rng(seed).integers(0, 256, (len(labels), 3072), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(np.column_stack([np.asarray(labels, np.uint8), pixels]).tobytes())
    return pixels


CIFAR = {
    "source": "cifar10",
    "train_files": ["a.bin", "b.bin"],
    "test_files": ["t.bin"],
    "normalize": "range",
}


def test_cifar_files_are_read_record_by_record(tmp_path):
    """Several files are one pool, in planes of red, green and blue."""
    a, b = cifar_file(tmp_path / "a.bin", range(10)), cifar_file(tmp_path / "b.bin", range(10), 1)
    cifar_file(tmp_path / "t.bin", range(10), 2)
    data = prepare(CIFAR | {"train_size": 20, "test_size": 10}, [0], tmp_path)
    assert data.x_train.attrs["row_shape"].tolist() == [3, 32, 32]
    rows = {tuple(row) for row in (255 * data.x_train[0].values).round().astype(int).tolist()}
    assert rows == {tuple(row) for row in np.concatenate([a, b]).tolist()}
    assert set(json.loads(data.attrs["source_sha256"])) == {"a.bin", "b.bin", "t.bin"}


def test_packed_cifar_files_hold_the_same_records(tmp_path):
    cifar_file(tmp_path / "t.bin", range(10), 2)
    cifar_file(tmp_path / "a.bin", range(10))
    (tmp_path / "a.bin.xz").write_bytes(lzma.compress((tmp_path / "a.bin").read_bytes()))
    plain, packed = (
        prepare(CIFAR | {"train_files": [name], "train_size": 10, "test_size": 10}, [0], tmp_path)
        for name in ("a.bin", "a.bin.xz")
    )
    xr.testing.assert_equal(plain, packed)
    (tmp_path / "a.bin.xz").write_bytes((tmp_path / "a.bin.xz").read_bytes()[:-100])
    with pytest.raises(DataError, match=r"a\.bin\.xz cannot be unpacked .* Replace it"):
        prepare(CIFAR | {"train_files": ["a.bin.xz"], "train_size": 5, "test_size": 5}, [0], tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"1234", bytes([11]) + bytes(3072)], ids=["empty", "cut", "label 11"]
)
def test_what_is_no_cifar_file_is_refused_by_name(tmp_path, content):
    for name in ("b.bin", "t.bin"):
        cifar_file(tmp_path / name, range(10))
    (tmp_path / "a.bin").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.bin .* Replace it"):
        prepare(CIFAR | {"train_size": 5, "test_size": 5}, [0], tmp_path)


def test_real_cifar_records_are_read(tmp_path):
    """The first 4000 records of the published training files."""
    packed = Path(os.environ.get("MINIMA_DATA_DIR", "no folder")) / "cifar10/data_batch_1_first4000.bin.xz"
    if not packed.is_file():
        pytest.skip("MINIMA_DATA_DIR names no folder with the real files")
    recipe = CIFAR | {"train_files": [packed.name], "test_files": [], "train_size": 3000, "test_size": 1000}
    data = prepare(recipe, [0], packed.parent)
    everything = np.concatenate([data.label_train[0], data.label_test[0]])
    assert len(np.bincount(everything)) == 10
    assert 340 < np.bincount(everything).min() <= np.bincount(everything).max() < 460
    means = (data.x_train[0].values.reshape(-1, 3, 1024)).mean((0, 2))
    np.testing.assert_allclose(means, [0.4914, 0.4822, 0.4465], atol=0.01)  # the published means


# Files that are missing or damaged


def test_a_missing_file_is_named(tmp_path, idx_files):
    (tmp_path / "test_labels").unlink()
    with pytest.raises(DataError, match=r"idx: there is no file .*test_labels\. Put it there"):
        prepare(idx_files, [0], tmp_path)
    with pytest.raises(DataError, match=r"file: there is no file .*gone\.npz"):
        prepare(file_recipe(tmp_path / "gone.npz"), [0], tmp_path)


def test_a_failed_download_says_what_to_do(tmp_path):
    address = (tmp_path / "nowhere").as_uri()
    with pytest.raises(DataError) as caught:
        fetch(tmp_path / "data/images.gz", "mnist", "0" * 64, address)
    for part in ("mnist", str(tmp_path / "data/images.gz"), address, "data_dir"):
        assert part in str(caught.value)
    assert [path.name for path in (tmp_path / "data").iterdir()] == []


def test_download_checks_and_keeps_the_file(tmp_path):
    published = tmp_path / "published"
    published.write_bytes(b"pixels")
    sha256, path = hashlib.sha256(b"pixels").hexdigest(), tmp_path / "data/images.gz"
    with pytest.raises(DataError, match="damaged or another version"):
        fetch(path, "mnist", "0" * 64, published.as_uri())
    assert list(path.parent.iterdir()) == []
    assert fetch(path, "mnist", sha256, published.as_uri()) == sha256
    published.unlink()
    assert fetch(path, "mnist", sha256, published.as_uri()) == sha256
    assert [file.name for file in path.parent.iterdir()] == ["images.gz"]


def test_a_wrong_checksum_is_refused_and_the_file_kept(tmp_path, idx_files):
    with pytest.raises(DataError, match=r"train_labels is damaged or another version"):
        prepare(idx_files | {"sha256": {"train_labels": "0" * 64}}, [0], tmp_path)
    assert (tmp_path / "train_labels").exists()
    known = tmp_path / mnist.FILES["train_images"].name
    known.parent.mkdir()
    known.write_bytes(b"not MNIST")
    with pytest.raises(DataError, match=r"mnist: .*train-images.* Delete it to download it again"):
        prepare({"source": "mnist", "classes": [0, 1]}, [0], tmp_path)
    assert known.read_bytes() == b"not MNIST"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        # mtime: processes that run tests side by side must name them alike
        (gzip.compress(idx_bytes(np.ones((50, 4, 3))), mtime=0)[:-9], "truncated or damaged"),
        (gzip.compress(b"0" * 1000, mtime=0)[:20] + b"\xff" * 40, "truncated or damaged"),
        (idx_bytes(np.ones((50, 4, 3)))[:-1], "holds 599 bytes where its header promises 600"),
        (idx_bytes(np.ones((50, 4, 3))) + b"0", "holds 601 bytes"),
        (b"\0\0\x08\x03\0\0", "not an IDX file"),
        (b"", "not an IDX file"),
        (b"<html>not found</html>", "not an IDX file"),
        (idx_bytes(np.ones((49, 4, 3))), "do not go together"),
        (idx_bytes(np.ones((50, 5, 3))), "differ in shape"),
    ],
)
def test_damaged_idx_files_are_refused(tmp_path, idx_files, content, message):
    (tmp_path / "train_images.gz").write_bytes(content)
    with pytest.raises(DataError, match=message):
        prepare(idx_files, [0], tmp_path)


@pytest.mark.parametrize(
    ("code", "dtype"), [(0x09, ">i1"), (0x0B, ">i2"), (0x0C, ">i4"), (0x0D, ">f4"), (0x0E, ">f8")]
)
def test_idx_types(tmp_path, code, dtype):
    numbers = np.array([-3, 100], dtype)
    (tmp_path / "a").write_bytes(struct.pack(">BBBBI", 0, 0, code, 1, 2) + numbers.tobytes())
    np.testing.assert_array_equal(read_idx(tmp_path / "a"), numbers)


# The user's own tables


def test_npz_csv_and_nc_give_the_same_rows(table):
    folder, x, y = table
    np.savez(folder / "a.npz", x=x, y=y)
    xr.Dataset({"inputs": (("row", "a", "b"), x), "label": ("row", y)}).to_netcdf(folder / "b.nc")
    flat = np.column_stack([x.reshape(40, 4)[:, :2], y, x.reshape(40, 4)[:, 2:]])
    np.savetxt(folder / "c.csv", flat, fmt="%.17g", delimiter=",", header='a,b,"the label",c,d', comments="")
    recipes = [
        file_recipe(folder / "a.npz", labels="sign"),
        file_recipe(folder / "b.nc", labels="sign", x="inputs", y="label"),
        file_recipe(folder / "c.csv", labels="sign", target="the label", classes=[-1, 1]),
    ]
    npz, nc, table_csv = (prepare(recipe, [0, 1], ".") for recipe in recipes)
    assert npz.digest.values.tolist() == nc.digest.values.tolist() == table_csv.digest.values.tolist()
    assert npz.x_train.attrs["row_shape"].tolist() == [1, 2, 2]
    np.testing.assert_array_equal(npz.y_train[..., 0], npz.label_train)


def test_real_targets_and_the_last_column(table):
    folder, x, _ = table
    np.savez(folder / "a.npz", x=x, y=x[:, 0])
    assert prepare(file_recipe(folder / "a.npz"), [0], ".").sizes["output"] == 2
    np.savetxt(folder / "b.csv", x[:, 0], delimiter=",", header="a,b", comments="")
    data = prepare(file_recipe(folder / "b.csv", normalize="none"), [0], ".")
    assert "label_train" not in data
    assert set(data.y_train.values.ravel()) <= set(x[:, 0, 1])


def test_own_test_pool(table):
    folder, x, y = table
    np.savez(folder / "a.npz", x=x, y=y, x_test=x + 100, y_test=y, held=x - 100)
    recipe = file_recipe(folder / "a.npz", labels="sign", normalize="none", train_size=40, test_size=40)
    data = prepare(recipe, [0], ".")
    assert data.x_test.min() > 50 > data.x_train.max()
    assert prepare(recipe | {"x_test": "held"}, [0], ".").x_test.max() < -50
    with pytest.raises(DataError, match=r"a\.npz has no gone: it holds x, y, x_test, y_test, held"):
        prepare(recipe | {"x_test": "gone"}, [0], ".")


@pytest.mark.parametrize(
    ("arrays", "options", "message"),
    [
        ({"x": np.ones((40, 2))}, {}, "has no y: it holds x"),
        ({"x": np.ones((40, 2)), "y": np.ones(39)}, {}, "x has 40 rows and y has 39"),
        ({"x": np.full((40, 2), np.nan), "y": np.ones(40)}, {}, "x has missing or infinite values"),
        ({"x": np.full((40, 2), "a"), "y": np.ones(40)}, {}, "x must hold real numbers"),
        ({"x": np.ones((0, 2)), "y": np.ones(0)}, {}, "x has no rows"),
        ({"x": np.ones((40, 2)), "y": np.full(40, 0.5)}, {"labels": "sign"}, "y must hold one whole number"),
        ({"x": np.ones((40, 2)), "y": np.arange(40) % 3}, {"labels": "sign"}, "needs exactly two classes"),
        ({"x": np.ones((40, 2)), "y": np.ones(40)}, {"labels": "onehot"}, "needs at least two classes"),
        ({"x": np.ones((40, 2)), "y": np.arange(40) % 2}, {"classes": [1, 7]}, "has no class 7"),
        ({"x": np.ones((40, 2)), "y": np.ones(40)}, {"train_size": 41}, "more than its 40 rows"),
        ({"x": np.ones((40, 2)), "y": np.ones(40)}, {"test_size": 21}, "more than the 20 rows left"),
        (
            {"x": np.ones((40, 2)), "y": np.ones(40), "x_test": np.ones((40, 3)), "y_test": np.ones(40)},
            {},
            "differ in shape",
        ),
    ],
)
def test_tables_that_do_not_fit_are_refused_by_name(tmp_path, arrays, options, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError, match=rf"a\.npz.*{message}"):
        prepare(file_recipe(tmp_path / "a.npz", **options), [0], ".")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "first line must name the columns"),
        ("1.5,2.5\n3,4\n", "first line must name the columns"),
        ("a\n1\n", "at least two columns"),
        ("a,a\n1,2\n", "at least two columns with different names"),
        ("a,b\n1,2\nred,3\n", "column a holds 'red' in row 2.*Leave out"),
        ("a,b\n1,2,3\n", "names 2 columns and its rows have 3"),
        ("a,b\n1,\n", "missing or infinite values: row 1, column b"),
        ("a,b\n1,nan\n", "missing or infinite"),
        ("a,price\n1,2\n", "no column b: it holds a, price"),
    ],
)
def test_bad_csv_is_refused_by_name(tmp_path, text, message):
    (tmp_path / "a.csv").write_text(text)
    options = {"target": "b"} if "price" in text else {}
    with pytest.raises(DataError, match=rf"a\.csv.*{message}"):
        prepare(file_recipe(tmp_path / "a.csv", **options), [0], ".")


class Bomb:
    def __reduce__(self):
        return pytest.fail, ("the file was unpickled",)


def test_nothing_is_unpickled(tmp_path):
    objects = np.array([Bomb()] * 40, dtype=object)
    np.savez(tmp_path / "a.npz", x=objects, y=np.ones(40))
    (tmp_path / "b.npz").write_bytes(pickle.dumps(Bomb()))
    for name in ("a.npz", "b.npz"):
        with pytest.raises(DataError, match=name):
            prepare(file_recipe(tmp_path / name), [0], ".")


@pytest.mark.parametrize("name", ["a.npz", "a.nc"])
def test_truncated_tables_are_refused_by_name(table, name):
    folder, x, y = table
    path = folder / name
    if name == "a.npz":
        np.savez(path, x=x, y=y)
    else:
        xr.Dataset({"x": (("row", "a", "b"), x), "y": ("row", y)}).to_netcdf(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match=name):
        prepare(file_recipe(path), [0], ".")


def test_one_changed_value_changes_the_digest_of_the_splits_that_use_it(table):
    folder, x, y = table
    path = folder / "a.npz"
    np.savez(path, x=x, y=y)
    recipe = file_recipe(path, normalize="none", labels="sign")
    before = prepare(recipe, range(8), ".")
    uses = [x[0, 0, 0] in np.append(before.x_train[i], before.x_test[i]) for i in range(8)]
    x[0, 0, 0] += 1
    np.savez(path, x=x, y=y)
    after = prepare(recipe, range(8), ".")
    assert (before.digest != after.digest).values.tolist() == uses
    assert 0 < sum(uses) < 8


def test_a_row_of_zeros_has_no_direction(table):
    folder, x, y = table
    np.savez(folder / "rows.npz", x=np.zeros_like(x), y=y)
    with pytest.raises(DataError, match=r"rows\.npz: a row of zeros"):
        prepare(file_recipe(folder / "rows.npz"), [0], ".")
    assert not prepare(file_recipe(folder / "rows.npz", normalize="standardize"), [0], ".").x_train.any()
