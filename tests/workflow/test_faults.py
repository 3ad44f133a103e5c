"""Kills at any moment, and folders that cannot be written."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
import xarray as xr
from harness import DATASET, Workflow, write_table


def same_results(one: Path, other: Path) -> None:
    """The same cells and statuses; values alike to rounding: they may have been trained beside others."""
    with xr.open_datatree(one) as a, xr.open_datatree(other) as b:
        assert a.groups == b.groups
        for group in a.groups:
            x, y = a[group].to_dataset(), b[group].to_dataset()
            assert x.attrs == y.attrs
            assert set(x.variables) == set(y.variables)
            for name in x.variables:
                if x[name].dtype.kind == "f":
                    xr.testing.assert_allclose(x[name], y[name], rtol=1e-10, atol=1e-13)
                else:
                    xr.testing.assert_identical(x[name], y[name])


@pytest.mark.slow
def test_kill_9_at_ten_random_moments_ends_in_the_undisturbed_results(fresh, completed):
    """One after the other, each a random share of a whole run's time after its start: in the preparation of
    data, in training, between jobs. A run that comes to its end is begun anew."""
    moments = random.Random(9)
    begun = time.monotonic()
    fresh.run(DATASET).succeeded()
    whole_run = time.monotonic() - begun
    killed = 0
    while killed < 10:
        if (fresh.folder / DATASET).exists():
            subprocess.run(["rm", "-r", "results", ".snakemake"], cwd=fresh.folder, check=True)
        process = fresh.start("--nolock", DATASET)
        try:
            process.wait(whole_run * moments.uniform(0.1, 0.7))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            killed += 1
        fresh.finish(process)
    fresh.run("--nolock", DATASET).succeeded()
    assert not list((fresh.folder / "results").rglob("*.pending"))
    same_results(fresh.folder / DATASET, completed.folder / DATASET)


@pytest.fixture
def read_only(tmp_path: Path):
    """Makes a folder one that nobody, not even root, can write to."""
    mounted = []

    def make(folder: Path) -> None:
        for options in ("bind", "remount,bind,ro"):
            if subprocess.run(["mount", "-o", options, folder, folder], capture_output=True).returncode:
                pytest.skip("read-only folders that hold for root need root")
            if options == "bind":
                mounted.append(folder)

    yield make
    for folder in mounted:
        subprocess.run(["umount", folder], check=True)


def test_a_read_only_data_folder_is_read(workflow: Workflow, completed: Workflow, read_only):
    data = workflow.folder / "mine"
    data.mkdir()
    (workflow.folder / "table.npz").rename(data / "table.npz")
    read_only(data)
    with pytest.raises(OSError, match="Read-only"):
        write_table(data / "other.npz", [[1.0]], [1.0])
    workflow.config["data"]["table"]["path"] = "mine/table.npz"
    assert workflow.run(DATASET).succeeded().trained == 6
    with xr.open_datatree(workflow.folder / DATASET) as a, xr.open_datatree(completed.folder / DATASET) as b:
        xr.testing.assert_equal(a["trained/own"]["test"], b["trained/own"]["test"])


def test_a_read_only_results_folder_is_refused_before_any_job(workflow: Workflow, read_only):
    read_only(workflow.folder / "results")
    workflow.main["seed"]["count"] = 3
    run = workflow.run()
    assert run.code != 0
    assert not run.jobs
    assert "results: the folder" in run.output
    assert "cannot be written" in run.output
