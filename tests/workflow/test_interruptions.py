"""Jobs that are killed, that fail or that meet: finished cells are safe, only the others are trained again.

The interruptions strike between two cells of a pack of six: the moment is exact, and nothing depends on the
machine's speed.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable

import psutil
import pytest
from harness import DATASET, Run, Workflow, cells_of, wait_for

from minima.plan.workplan import Plan

HELD = "Path('held').touch(); wait_for('go')"
NEW_CELLS = 6


def ask_for_new_cells(workflow: Workflow) -> Workflow:
    """Six cells that the store does not have, all in one pack; everything else is finished."""
    workflow.config["studies"]["question"]["blocks"]["own"]["stop"]["residual"] = 0.05
    return workflow


@pytest.fixture(scope="module")
def undisturbed(completed: Workflow, tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """The run that nothing interrupts."""
    workflow = ask_for_new_cells(completed.copied_to(tmp_path_factory.mktemp("undisturbed") / "minima"))
    assert workflow.run(DATASET).succeeded().trained == NEW_CELLS
    return workflow


@pytest.fixture
def interrupted(workflow: Workflow) -> Callable[..., None]:
    """Asks for the new cells, and puts a statement where two of them have finished."""
    return ask_for_new_cells(workflow).after_two_cells


def recovered(workflow: Workflow, undisturbed: Workflow) -> Run:
    """Takes the interruption out and runs again, to the results of the undisturbed run."""
    workflow.without_traps()
    run = workflow.run(DATASET).succeeded()
    for pattern in ("packs/file_*.nc", "question/dataset.nc"):
        assert workflow.files(pattern) == undisturbed.files(pattern)
    return run


def shards(workflow: Workflow) -> set[str]:
    return {str(path) for path in (workflow.folder / "results/store").glob("*/*")}


def test_kill_9_in_mid_pack_costs_the_missing_cells_only(workflow, undisturbed, interrupted):
    interrupted("time.sleep(600)", written=True)
    before = shards(workflow)
    process = workflow.start()
    wait_for(lambda: any(name.endswith(".nc") for name in shards(workflow) - before), process)
    os.killpg(process.pid, signal.SIGKILL)
    assert workflow.finish(process).code == -signal.SIGKILL

    locked = workflow.run()
    assert locked.code != 0
    assert "--unlock" in locked.output
    assert workflow.run("--unlock").code == 0
    run = recovered(workflow, undisturbed)
    assert run.trained == NEW_CELLS - 2
    assert run.cells < cells_of(workflow.config, '"source":"file"')


def test_a_pack_that_fails_leaves_its_finished_cells_and_says_why(workflow, undisturbed, interrupted):
    interrupted('raise RuntimeError("the injected fault")')
    run = workflow.run()
    assert run.code == 1
    assert "RuntimeError: the injected fault" in run.output
    (log,) = (workflow.folder / "results/logs/train_pack").glob("*.log")
    assert f"The whole log: {log.relative_to(workflow.folder)}" in run.output
    assert "Traceback (most recent call last)" in log.read_text(encoding="utf-8")
    assert recovered(workflow, undisturbed).trained == NEW_CELLS - 2


def test_sigterm_writes_the_finished_cells(workflow, undisturbed, interrupted):
    """What a cluster sends at a job's time limit."""
    interrupted(HELD)
    process = workflow.start()
    wait_for((workflow.folder / "held").exists, process)
    (job,) = (
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if child.cmdline()[-1].endswith("train_pack.py")
    )
    job.terminate()
    assert workflow.finish(process).code == 1
    assert recovered(workflow, undisturbed).trained == NEW_CELLS - 2


def test_ctrl_c_leaves_a_folder_that_the_next_run_accepts(workflow, undisturbed, interrupted):
    """The terminal sends it to Snakemake and to its jobs; both put things in order."""
    interrupted(HELD)
    process = workflow.start()
    wait_for((workflow.folder / "held").exists, process)
    os.killpg(process.pid, signal.SIGINT)
    assert workflow.finish(process).code != 0
    assert recovered(workflow, undisturbed).trained == NEW_CELLS - 2


def test_sigterm_to_snakemake_waits_for_its_jobs(workflow, undisturbed, interrupted):
    """What a batch system sends to a Snakemake that is itself a job: what runs ends, nothing is begun."""
    interrupted(HELD)
    process = workflow.start()
    wait_for((workflow.folder / "held").exists, process)
    process.terminate()
    (workflow.folder / "go").touch()
    stopped = workflow.finish(process)
    assert stopped.code != 0
    assert stopped.trained == NEW_CELLS
    assert not stopped.jobs["aggregate_study"]
    assert recovered(workflow, undisturbed).trained == 0


def test_a_second_snakemake_on_the_folder_is_refused_and_harms_nothing(workflow, undisturbed, interrupted):
    interrupted(HELD)
    first = workflow.start(DATASET)
    wait_for((workflow.folder / "held").exists, first)
    second = workflow.run()
    assert second.code != 0
    assert not second.jobs
    assert "Directory cannot be locked" in second.output
    (workflow.folder / "go").touch()
    workflow.finish(first).succeeded()
    assert recovered(workflow, undisturbed).trained == 0


def test_a_full_disk_is_named_and_costs_what_did_not_fit(workflow, undisturbed, interrupted, tmp_path):
    """Two cells are written, then the disk of the store is full; with room again the others are trained."""
    store, kept = workflow.folder / "results/store", tmp_path / "store"
    store.rename(kept)
    store.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", store], capture_output=True
    ).returncode:
        pytest.skip("a disk of a few megabytes can be mounted by root alone")
    try:
        shutil.copytree(kept, store, dirs_exist_ok=True)
        interrupted("os.system('cat /dev/zero > results/store/full')", written=True)
        before = workflow.files("store/*/*.nc")
        run = workflow.run()
        assert run.code == 1
        assert "no space is left on the disk to write: 'results/store/" in run.output
        left = workflow.files("store/*/*")
        assert before.items() < left.items()
        assert all(name.endswith(".nc") for name in left), "nothing half written"
        (store / "full").unlink()
        assert recovered(workflow, undisturbed).trained == NEW_CELLS - 2
    finally:
        subprocess.run(["umount", store], check=True)


TRAIN = """
import logging, sys
from pathlib import Path
import yaml
from minima.jobs.train_pack import train_pack
from minima.plan.files import data_file
from minima.plan.workplan import Plan

logging.basicConfig(level=logging.INFO, stream=sys.stdout)
plan = Plan(yaml.safe_load(Path("config/config.yaml").read_text()))
cells = sorted((c for c in plan.cells.values() if c["data"]["source"] == "file"), key=lambda c: c.digest)
cells = cells[int(sys.argv[1]):int(sys.argv[2])]
name = data_file(cells[0]).name
data = {name: Path(plan.paths.data(name))}
train_pack(cells, data, Path(sys.argv[3]), Path(sys.argv[4]), "cpu", False)
"""


def test_two_jobs_that_write_at_once_lose_nothing(undisturbed, tmp_path):
    """Cells 0 to 3 and 2 to 5 on one store that starts empty; then all six are there."""

    def start(first: int, end: int, output: str) -> subprocess.Popen:
        arguments = [sys.executable, "-c", TRAIN, first, end, tmp_path / "store", tmp_path / output]
        return subprocess.Popen(
            list(map(str, arguments)),
            cwd=undisturbed.folder,
            env=os.environ | {"PYTHONPATH": "workflow_scripts", "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    for job in [start(0, 4, "a.nc"), start(2, 6, "b.nc")]:
        output, _ = job.communicate(timeout=300)
        assert job.returncode == 0, output
    output, _ = start(0, 6, "all.nc").communicate(timeout=300)
    assert "6 in the store, 0 to train" in output
    (pack,) = undisturbed.files("packs/file_*.nc").values()
    assert (tmp_path / "all.nc").read_bytes() == pack
    assert not list(tmp_path.rglob("*.tmp"))


def test_torn_shards_are_passed_over_with_a_warning_and_kept(workflow, completed):
    (group,) = {c.group for c in Plan(workflow.config).cells.values() if c["data"]["source"] == "file"}
    (whole,) = (workflow.folder / "results/store" / group).glob("*.nc")
    torn, garbage = whole.with_name("torn.nc"), whole.with_name("garbage.nc")
    torn.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    garbage.write_bytes(b"\x00\xff no netCDF \n" * 100)
    whole.write_bytes(whole.read_bytes()[:-100])
    whole.with_name("folder.nc").mkdir()
    whole.with_name("nowhere.nc").symlink_to("nowhere")
    kept = {path: path.read_bytes() for path in (torn, garbage)}
    (pack,) = (workflow.folder / "results/packs").glob("file_*.nc")
    pack.unlink()
    (workflow.folder / DATASET).unlink()

    run = workflow.run(DATASET).succeeded()
    assert run.trained == 6
    for path in (torn, garbage, whole):
        assert (
            f"{path.relative_to(workflow.folder)} is not a readable shard and is passed over" in run.logs[0]
        )
    assert {path: path.read_bytes() for path in kept} == kept
    assert workflow.files("packs/*.nc") == completed.files("packs/*.nc")
