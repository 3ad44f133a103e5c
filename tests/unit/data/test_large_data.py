"""The largest recipe of the published scale, ten damaged copies of CIFAR-10, in the memory of any laptop."""

import json
import subprocess
import sys
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import xarray as xr
import yaml

from minima.data.files import load_split, save
from minima.data.prepare import prepared

ROOT = Path(__file__).parents[3]
LIMIT = 2 * 2**30  # bytes of address space; the training rows alone are 6.1 GB

# Prepares the data, makes up the packs of 20 ResNets on them as files full of holes, and aggregates.
CHILD = """
import json, resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]),) * 2)
import netCDF4, numpy as np, xarray as xr
from minima.data.files import split_digests, load_split
from minima.findings.dataset import write_study
from minima.jobs import pack_file
from minima.jobs.prepare_data import prepare_data
from minima.jobs.train_pack import identities
from minima.plan.workplan import Plan
from minima import store

plan = Plan(json.loads(sys.argv[2]))
(name,), (pack,) = plan.data_files, plan.packs.values()
data, output = Path(plan.paths.data(name)), Path(plan.paths.dataset("large"))
prepare_data(plan, name, data)
results = {"status": "stopped", "steps": 1, "test": np.zeros((10_000, 10))}
rows = [(identity, results) for identity in identities(pack.cells, split_digests(data), {}).values()]
path = Path(plan.paths.pack(pack.name))
pack_file.write([store.to_dataset(rows, {"step": [0]})], path)
targets = load_split(data, 0, ["y_train"]).y_train.values
with netCDF4.Dataset(path, "a") as file:
    file.set_fill_off()
    group = file["0"]
    group.createDimension("parameter", 11_000_000)
    group.createDimension("train_point", len(targets))
    group.createVariable("parameters", "f4", ("cell", "parameter"))
    for variable in ("train", "start_train"):
        group.createVariable(variable, "f8", ("cell", "train_point", "output"))[0] = targets
write_study(plan, "large", [path], [data], [], output)
"""


def cifar(folder):
    """Files of the real shape with images of one colour."""
    for number in range(1, 6):
        write_records(folder / f"cifar10/data_batch_{number}.bin")
    write_records(folder / "cifar10/test_batch.bin")


def write_records(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(bytes([row % 10]) + bytes(3072) for row in range(10_000)))


def config(folder):
    """The table's pretraining on the copies, as the published scale has it, but for their blank pixels."""
    paper = yaml.safe_load((ROOT / "workflow_scripts/studies/bad_minima/paper.yaml").read_text())
    recipe = paper["data"]["images_confused"] | {"confusion": {"copies": 10}}
    block = {
        "data": "images",
        "network": {"kind": "resnet18"},
        "optimizer": {"name": "sgd", "lr": 0.1, "batch_size": 128},
        "loss": "cross_entropy",
        "stop": {"residual": None, "accuracy": 0.9999, "max_steps": 10},
        "seed": {"start": 0, "count": 20},
        "keep_parameters": True,
    }
    return {
        "results": str(folder / "results"),
        "data_dir": str(folder),
        "claims": None,
        "execution": {"pack_minutes": 1e9, "device_memory_gb": 1e6},
        "data": {"images": recipe},
        "studies": {"large": {"blocks": {"main": block}}},
    }


@pytest.mark.slow
def test_the_largest_recipe_is_prepared_and_aggregated_in_two_gigabytes(tmp_path):
    """Neither its inputs nor the networks' weights, and no prediction on all its rows but one, are held."""
    cifar(tmp_path)
    command = [sys.executable, "-c", CHILD, str(LIMIT), json.dumps(config(tmp_path))]
    environment = {
        "PYTHONPATH": str(ROOT / "workflow_scripts"),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (data,) = tmp_path.glob("results/data/*.nc")
    with netCDF4.Dataset(data) as file:
        assert file["x_train"].shape == (1, 500_000, 3072)
    with xr.open_datatree(tmp_path / "results/large/dataset.nc", engine="netcdf4") as tree:
        block = tree["trained/main"].to_dataset()
        best, *others = np.sort(block.train_error.values)
        assert best == 0  # the network of the pack's first row; the others' rows are holes, read as zeros
        np.testing.assert_allclose(others, 0.9, atol=0.01)
        assert "train" not in block
        assert block.test.sizes == {"seed": 20, "point": 10_000, "output": 10}


def test_inputs_are_read_by_a_few_rows_of_one_split(tmp_path):
    recipe = {"source": "sphere_teacher", "dimension": 500, "train_size": 3000, "test_size": 5}
    save(prepared(recipe, [0, 1], "."), tmp_path / "data.nc")
    with netCDF4.Dataset(tmp_path / "data.nc") as file:
        splits, rows, features = file["x_train"].chunking()
    assert (splits, features) == (1, 500)
    assert rows * features * 8 <= 2**22
    assert set(load_split(tmp_path / "data.nc", 1, ["y_test"]).data_vars) == {"y_test"}
