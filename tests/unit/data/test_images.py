"""The user's own images: which shapes are images, and what is refused by name before anything is trained."""

import numpy as np
import pytest
from tests.unit.helpers import files_of

from minima.data.files import load_split
from minima.data.pool import DataError
from minima.jobs import pack_file
from minima.jobs.prepare_data import prepare_data
from minima.jobs.train_pack import train_pack
from minima.plan.mistakes import ConfigError
from minima.plan.workplan import Plan

CNN = {"kind": "cnn", "channels": [2, 2, 2], "hidden": 4}


def plan_of(folder, network=CNN, path="own.npz", data=None, **block):
    recipe = {"source": "file", "path": str(folder / path), "labels": "sign", "train_size": 8, "test_size": 4}
    block = {
        "data": "own",
        "network": network,
        "optimizer": {"name": "sgd", "lr": 0.01, "batch_size": 4},
        "seed": 0,
        "stop": {"residual": None, "max_steps": 2},
    } | block
    return Plan(
        {
            "results": str(folder / "results"),
            "claims": None,
            "data": {"own": recipe | {"normalize": "none"} | (data or {})},
            "studies": {"own": {"blocks": {"main": block}}},
        }
    )


def write_file(folder, *shape):
    rng = np.random.default_rng(0)
    np.savez(folder / "own.npz", x=rng.random((20, *shape)), y=np.arange(20) % 2)


def prepare_in(folder, plan):
    (name,) = plan.data_files
    prepare_data(plan, name, folder / "data.nc")
    return folder / "data.nc"


@pytest.mark.parametrize(
    ("shape", "read"), [((6, 5), (1, 6, 5)), ((1, 6, 5), (1, 6, 5)), ((3, 6, 5), (3, 6, 5))]
)
def test_images_of_one_channel_or_several_are_trained_on(tmp_path, shape, read):
    write_file(tmp_path, *shape)
    plan = plan_of(tmp_path)
    file = prepare_in(tmp_path, plan)
    assert tuple(load_split(file, 0).x_train.attrs["row_shape"]) == read
    (pack,) = plan.packs.values()
    data = files_of(pack.cells, file)
    train_pack(pack.cells, data, tmp_path / "store", tmp_path / "pack.nc", "cpu", "same_code")
    (part,) = pack_file.read(tmp_path / "pack.nc")
    assert part["steps"].values.tolist() == [2]
    assert np.isfinite(part["test"]).all()


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((12,), {}, "network.kind: cnn needs images, and the data are rows of 12 numbers"),
        ((2, 3, 6, 5), {}, r"network.kind: cnn needs images, and the data are rows of shape \(2, 3, 6, 5\)"),
        ((3, 6), {}, r"network.kind: cnn needs images of 4×4 pixels or more, not \(3, 6\)"),
        (
            (8, 8, 3),
            {"data": {"layout": "nchw"}},
            r"\(8, 8, 3\) looks like \(height, width, channels\): put the last axis first",
        ),
        (
            (12,),
            {"network": {"kind": "dense"}, "augment": {"flip": True}},
            "augment needs images, and the data are rows of 12 numbers",
        ),
        (
            (12,),
            {"network": {"kind": "dense"}, "record": {"plane": {"side": 5}}},
            "record.plane needs rows of 2 numbers, not 12",
        ),
        (
            (12,),
            {"network": {"kind": "dense"}, "data": {"normalize": "channels"}},
            r"normalize: channels needs images, and a row has the shape \(12,\)",
        ),
    ],
)
def test_what_the_networks_cannot_take_is_refused_when_the_data_are_prepared(
    tmp_path, shape, options, message
):
    plan = plan_of(tmp_path, **options)  # before there is a file
    write_file(tmp_path, *shape)
    with pytest.raises(
        DataError, match=f"own.npz: {message}|own.npz: network.kind: cnn needs images as .*{message}"
    ):
        prepare_in(tmp_path, plan)
    assert not (tmp_path / "data.nc").exists()


@pytest.mark.parametrize(
    ("shape", "layout", "last"),
    [
        ((6, 5, 3), None, True),
        ((6, 5, 1), None, True),
        ((3, 6, 5), None, False),
        ((6, 5, 8), "nhwc", True),
        ((4, 6, 4), "nchw", False),
        ((6, 5), "nhw", False),
    ],
)
def test_channels_come_first_wherever_they_stood(tmp_path, shape, layout, last):
    """Where the file says it, or its shape can be only one."""
    write_file(tmp_path, *shape)
    x = np.load(tmp_path / "own.npz")["x"]
    expected = np.moveaxis(x, -1, 1) if last else x[:, None] if len(shape) == 2 else x
    data = load_split(prepare_in(tmp_path, plan_of(tmp_path, {"kind": "dense"}, data={"layout": layout})), 0)
    assert tuple(data.x_train.attrs["row_shape"]) == expected.shape[1:]
    assert {tuple(row) for row in data.x_train.values} <= {tuple(row) for row in expected.reshape(20, -1)}


@pytest.mark.parametrize(
    ("shape", "layout", "message"),
    [
        (
            (6, 5, 8),
            None,
            r"rows of shape \[6, 5, 8\] .* write layout: nchw \(first\) or layout: nhwc \(last\)",
        ),
        ((3, 6, 3), None, "channels first or last"),
        ((6, 5), "nhwc", r"3 axes.* layout: nhwc is of \(rows, height, width, channels\)"),
        ((3, 6, 5), "nhw", r"4 axes.* layout: nhw is of \(rows, height, width\)"),
        ((12,), "nchw", "2 axes"),
    ],
)
def test_channels_that_can_stand_first_or_last_are_asked_for(tmp_path, shape, layout, message):
    write_file(tmp_path, *shape)
    plan = plan_of(tmp_path, {"kind": "dense"}, data={"layout": layout})
    with pytest.raises(DataError, match=rf"own\.npz: x.*{message}"):
        prepare_in(tmp_path, plan)


@pytest.mark.parametrize("name", ["own.csv", "own.npz"])
def test_a_table_is_known_to_hold_no_images_before_it_is_read(tmp_path, name):
    write_file(tmp_path, 12)
    with pytest.raises(
        ConfigError, match=f"network.kind: cnn needs images, and .*{name} has rows of numbers"
    ):
        plan_of(tmp_path, path=name)


def test_a_network_that_joins_prepared_data_is_refused_before_its_training(tmp_path):
    """The data are up to date, so that no job prepares them again."""
    (pack,) = plan_of(tmp_path).packs.values()  # before there is a file
    write_file(tmp_path, 12)
    file = prepare_in(tmp_path, plan_of(tmp_path, network={"kind": "dense"}))
    data = files_of(pack.cells, file)
    with pytest.raises(DataError, match=r"own\.npz: network.kind: cnn needs images"):
        train_pack(pack.cells, data, tmp_path / "store", tmp_path / "pack.nc", "cpu", "same_code")
    assert not list(tmp_path.glob("store/*/*.nc"))
