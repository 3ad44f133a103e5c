"""What a pack costs beyond the training itself: python benchmarks/packs.py [--grid]

100 networks (n = h = d = 64, depth 2, digits 3 against 8, the config's defaults otherwise) of 2000 steps in
one pack. `job` is what a run of Snakemake takes that trains them, less a run with nothing to do: the training
job from the start of its process to the written pack; `training` the time inside the engine's loop alone, in
a process that trains the same cells; in turns, medians of the rounds. With --grid, 1000 networks of width 256
follow, and a job per network on a sample of 20. All in CPU seconds of one thread, which neighbours on the
machine change least, but for `wall`, of Snakemake on two cores.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import yaml
from workflow import SNAKEMAKE, copy_of_the_repository

UNREACHED = 1e-12  # a residual that nobody reaches: all networks train to the last step
TRAINING = """
import sys, time, yaml
import torch
from pathlib import Path
sys.path.insert(0, "workflow_scripts")
from minima.jobs import train_pack as job
from minima.training import cells as training
from minima.plan.workplan import Plan

torch.set_num_threads(1)
spent = 0.0
loop = training.train

def timed(*given):
    global spent
    networks = loop(*given)
    while True:
        begun = time.process_time()
        done = next(networks, None)
        spent += time.process_time() - begun
        if done is None:
            return
        yield done

training.train = timed
plan = Plan(yaml.safe_load(open("config/config.yaml")))
(pack,) = plan.packs.values()
data = {name: Path(plan.paths.data(name)) for name in plan.data_of(pack.name)}
job.train_pack(pack.cells, data, Path("elsewhere/store"), Path("elsewhere/pack.nc"), "cpu", False)
print(spent)
"""


def config(width: int, networks: int, dtype: str, pack_minutes: float = 1e6) -> dict[str, Any]:
    block = {
        "data": "digits",
        "network": {"width": width},
        "seed": {"start": 0, "count": networks},
        "stop": {"residual": UNREACHED, "max_steps": 2000},
        "dtype": dtype,
    }
    return {
        "claims": None,
        "execution": {"device": "cpu", "pack_minutes": pack_minutes, "device_memory_gb": 1000},
        "data": {"digits": {"source": "digits", "classes": [3, 8], "train_size": 64, "split": 0}},
        "studies": {"cost": {"blocks": {"main": block}}},
    }


def run(folder: Path, cores: int, rule: str = "train_pack") -> tuple[float, float]:
    """CPU seconds of Snakemake and its jobs, and wall seconds, up to a rule."""
    begun = perf_counter(), *resource.getrusage(resource.RUSAGE_CHILDREN)[:2]
    command = [*SNAKEMAKE, "--cores", str(cores), "--until", rule]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    wall, user, system = (
        after - before
        for after, before in zip(
            (perf_counter(), *resource.getrusage(resource.RUSAGE_CHILDREN)[:2]), begun, strict=True
        )
    )
    return user + system, wall


def jobs(folder: Path, wanted: dict[str, Any], cores: int) -> tuple[float, float]:
    """CPU and wall seconds of the training jobs: what a run takes beyond one with nothing to do."""
    shutil.rmtree(folder / "results", ignore_errors=True)
    (folder / "config" / "config.yaml").write_text(yaml.safe_dump(wanted), encoding="utf-8")
    run(folder, 1, "prepare_data")
    idle = run(folder, 1, "prepare_data")
    busy = run(folder, cores)
    return busy[0] - idle[0], busy[1] - idle[1]


def training_seconds(folder: Path) -> float:
    shutil.rmtree(folder / "elsewhere", ignore_errors=True)
    found = subprocess.run(
        [sys.executable, "-c", TRAINING], cwd=folder, check=True, capture_output=True, text=True
    )
    return float(found.stdout)


def one_pack(folder: Path, dtype: str, rounds: int) -> str:
    job, training = [], []
    for _ in range(rounds):
        job.append(jobs(folder, config(64, 100, dtype), 1)[0])
        training.append(training_seconds(folder))
    whole, alone = statistics.median(job), statistics.median(training)
    return f"| {dtype} | {whole:.1f} | {alone:.1f} | {whole / alone:.2f} |"


def grid(folder: Path, networks: int, dtype: str, pack_minutes: float) -> str:
    spent, wall = jobs(folder, config(256, networks, dtype, pack_minutes), 2)
    packs = len(list((folder / "results" / "packs").glob("*.nc")))
    return f"| {networks} | {dtype} | {packs} | {spent:.0f} | {spent / networks:.3f} | {wall:.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--grid", action="store_true", help="the 1000 networks too: minutes")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with copy_of_the_repository() as folder:
        print("| dtype | job, s | training, s | job/training |\n|---|---|---|---|")
        for dtype in ("float64", "float32"):
            print(one_pack(folder, dtype, options.rounds), flush=True)
        if options.grid:
            print(
                "\n| networks | dtype | jobs | CPU, s | a network, s | wall, s |\n|---|---|---|---|---|---|"
            )
            for networks, minutes in ((1000, 1.0), (20, 1e-9)):
                print(grid(folder, networks, "float64", minutes), flush=True)


if __name__ == "__main__":
    main()
