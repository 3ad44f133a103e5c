"""Jobs that run side by side on a workstation share its GPUs out among themselves; each keeps its memory."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

import minima

ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(minima.__file__).parents[1])}
HOLD = """
import sys
from pathlib import Path
from minima.jobs.devices import free_gpu
print(free_gpu(int(sys.argv[1]), Path(sys.argv[2])), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def jobs(tmp_path):
    """Starts a process that takes a GPU of so many and holds it; returns the process and its GPU."""
    running = []

    def start(count):
        job = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(count), str(tmp_path)],
            env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        running.append(job)
        return job, int(job.stdout.readline())

    yield start
    for job in running:
        job.communicate()


def test_jobs_side_by_side_take_different_gpus(jobs):
    """And one more than there are shares the first."""
    assert [jobs(2)[1] for _ in range(3)] == [0, 1, 0]


def test_a_killed_job_frees_its_gpu(jobs):
    jobs(2)
    second, _ = jobs(2)
    second.kill()
    second.wait()
    assert jobs(2)[1] == 1


def test_where_the_cluster_gave_one_gpu_nothing_is_locked(tmp_path):
    from minima.jobs.devices import free_gpu

    assert free_gpu(1, tmp_path) == 0
    assert not list(tmp_path.iterdir())


CHURN = """
import resource
from minima.jobs.devices import keep_memory
{call}
def churn():
    for _ in range(50):
        large, small = bytearray(2**23), bytearray(2**20)
churn()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
churn()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_freed_memory_is_used_again():
    """Arrays that come and go take no new pages from the system."""

    def new_pages(call: str) -> int:
        command = [sys.executable, "-c", CHURN.format(call=call)]
        return int(subprocess.run(command, env=ENVIRONMENT, check=True, capture_output=True).stdout)

    assert new_pages("keep_memory()") < 100 < new_pages("pass")
