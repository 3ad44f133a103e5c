"""The workflow on a real SLURM: what its jobs ask for, and whatever happens to them costs no finished cell.

Packs are held in their middle: nothing depends on the speed of the machine.
"""

import os
import re
import signal

import pytest
from tests.cluster.campaign import CELLS, DATASET, PACK_COUNT, PACKS, Campaign
from tests.cluster.slurm import wait_for


def packs_of(campaign: Campaign) -> list[str]:
    return [f"results/{name}" for name in campaign.files(PACKS)]


def request(job: dict[str, str]) -> tuple[int, int]:
    """Memory (MB) and time (minutes) that a job asked for."""
    memory = re.search(r"mem=([\d.]+)([MG])", job["TRES"])
    assert memory
    hours, minutes, _ = job["TimeLimit"].split(":")
    return round(float(memory[1]) * (1000 if memory[2] == "G" else 1)), int(hours) * 60 + int(minutes)


def test_one_gpu_for_each_training_job_and_none_for_the_others(campaign, undisturbed, slurm):
    """From the empty folder to the report, by `snakemake --profile profiles/slurm` alone."""
    for name in campaign.files("data/*.nc"):
        (campaign.folder / "results" / name).unlink()
    campaign.hold()
    process = campaign.submit()
    campaign.wait_until_held(PACK_COUNT, process)
    devices = {job["GRES"] for job in campaign.training_jobs("RUNNING").values()}
    assert devices == {"gpu:1(IDX:0)", "gpu:1(IDX:1)"}, "two packs at once are on different devices"
    campaign.release()
    run = campaign.finish(process).succeeded()
    assert run.trained == PACK_COUNT * CELLS
    for pattern in (PACKS, "question/dataset.nc"):
        assert campaign.files(pattern) == undisturbed.files(pattern)
    seen = campaign.files("journal/*.jsonl").values()
    assert {re.search(rb'"visible_devices": "(\d)"', text)[1] for text in seen} == {b"0", b"1"}

    table = slurm.call("squeue", "--noheader", "-t", "all", "-O", "jobid,tres-per-job:20,tres-per-node:20")
    asked = {line.split()[0]: line.split()[1:] for line in table.splitlines()}
    jobs = {
        i: job["Comment"].removeprefix("rule_").split("_wildcards")[0]
        for i, job in campaign.my_jobs().items()
    }
    rules = sorted(jobs.values())
    assert rules == ["aggregate_study", "prepare_data", "train_pack", "train_pack"]
    for i, rule in jobs.items():
        assert asked[i] == (["gres:gpu:1", "N/A"] if rule == "train_pack" else ["N/A", "N/A"])
    assert run.jobs["write_report"] == 1, "cheap rules run where Snakemake does"


@pytest.mark.slow
def test_packs_go_as_one_array_where_the_plugin_is_asked_to(campaign, undisturbed, slurm):
    """As `docs/cluster.md` says: one submission, and the results are those of single jobs."""
    run = campaign.finish(campaign.submit("--slurm-array-jobs", "train_pack", DATASET)).succeeded()
    assert run.trained == PACK_COUNT * CELLS
    for pattern in (PACKS, "question/dataset.nc"):
        assert campaign.files(pattern) == undisturbed.files(pattern)
    tasks = slurm.call("squeue", "--noheader", "--array", "-t", "all", "-o", "%F %K %T")
    arrays = [line.split() for line in tasks.splitlines() if "N/A" not in line]
    assert [len({job for job, _, _ in arrays}), len(arrays)] == [1, PACK_COUNT], tasks
    assert {state for _, _, state in arrays} == {"COMPLETED"}


@pytest.mark.slow
def test_scancel_of_a_running_pack_loses_no_finished_cell(campaign, undisturbed, slurm):
    """The retry trains what is missing and nothing else."""
    campaign.hold()
    process = campaign.submit(*packs_of(undisturbed))
    campaign.wait_until_held(PACK_COUNT, process)
    victim, *_ = campaign.training_jobs("RUNNING")
    slurm.call("scancel", victim)
    wait_for(lambda: victim not in campaign.training_jobs("RUNNING", "COMPLETING"), "scancel")
    campaign.release()
    run = campaign.finish(process).succeeded()
    assert "SLURM status is: 'CANCELLED'" in run.output
    assert sorted(int(n) for log in run.logs for n in re.findall(r"trained (\d) cells", log)) == [2, 4]
    assert campaign.files(PACKS) == undisturbed.files(PACKS)


@pytest.mark.slow
def test_a_job_killed_for_memory_or_time_asks_for_more_and_gets_through(campaign, undisturbed, slurm):
    campaign.after_two_cells(
        "first = not (mark := Path('mark_' + cells[0]['optimizer']['name'])).exists(); mark.touch(); "
        "hog = np.ones(2**27) if first and 'gd' in mark.name else None; time.sleep(600 if first else 0)",
        written=True,
    )
    process = campaign.submit(*packs_of(undisturbed))
    wait_for(
        lambda: len(list(campaign.folder.glob("mark_*"))) == PACK_COUNT, "both packs to come to the trap"
    )
    for number, job in campaign.training_jobs("RUNNING").items():
        if "heavy_ball" in job["Comment"]:
            slurm.call(
                "scontrol", "update", f"JobId={number}", "EndTime=now"
            )  # SLURM looks every half minute
    run = campaign.finish(process).succeeded()
    assert run.trained == PACK_COUNT * (CELLS - 2)
    assert campaign.files(PACKS) == undisturbed.files(PACKS)
    jobs = [job for _, job in sorted(campaign.training_jobs().items(), key=lambda item: int(item[0]))]
    for optimizer, state in {"gd": "FAILED", "heavy_ball": "TIMEOUT"}.items():
        of_pack = [job for job in jobs if f"_{optimizer}_" in job["Comment"]]
        assert [job["JobState"] for job in of_pack] == [state, "COMPLETED"]
        first, second = map(request, of_pack)
        assert second[0] == 2 * first[0]
        assert second[1] >= 2 * first[1]


@pytest.mark.slow
def test_kill_9_of_snakemake_and_a_restart_finish_the_work(campaign, undisturbed):
    """The jobs go on without it; the restarted one takes from the store what they have written."""
    campaign.hold()
    process = campaign.submit(*packs_of(undisturbed))
    campaign.wait_until_held(PACK_COUNT, process)
    os.killpg(process.pid, signal.SIGKILL)
    assert campaign.finish(process).code == -signal.SIGKILL
    assert len(campaign.training_jobs("RUNNING")) == PACK_COUNT
    campaign.release()
    wait_for(lambda: not campaign.training_jobs("RUNNING", "COMPLETING"), "the jobs that nobody waits for")

    assert campaign.run("--unlock").code == 0
    run = campaign.finish(campaign.submit(*packs_of(undisturbed))).succeeded()
    assert run.trained == 0
    assert campaign.files(PACKS) == undisturbed.files(PACKS)


@pytest.mark.slow
def test_a_node_drained_in_mid_run_is_survived(campaign, undisturbed, slurm):
    """Jobs on the node come to their end; the next ones wait until it is back."""
    campaign.hold()
    process = campaign.submit(DATASET)
    campaign.wait_until_held(PACK_COUNT, process)
    slurm.node(State="DRAIN", Reason="test")
    try:
        campaign.release()
        wait_for(lambda: len(campaign.training_jobs("COMPLETED")) == PACK_COUNT, "the packs to end")
        wait_for(
            lambda: "PENDING" in (job["JobState"] for job in campaign.my_jobs().values()), "the next job"
        )
        assert process.poll() is None
    finally:
        slurm.node(State="RESUME")
    assert campaign.finish(process).succeeded().trained == PACK_COUNT * CELLS
    assert campaign.files(PACKS) == undisturbed.files(PACKS)
