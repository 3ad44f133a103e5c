"""How long the workflow itself takes on this machine: python benchmarks/workflow.py [--default]

In seconds of wall time, in a copy of the repository. `parse` is what the plan of the default config adds to
Snakemake's own start, `again` a second run with nothing to do: medians of three. `smoke` and, with --default,
`default` are whole runs from an empty results folder, once each.
"""

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
SNAKEMAKE = [sys.executable, "-m", "snakemake"]
SMOKE = ["--cores", "all", "--configfile", "config/smoke.yaml"]
PARSE = """
import sys, time, yaml
sys.path.insert(0, "workflow_scripts")
config = yaml.safe_load(open("config/config.yaml"))
import pydantic  # Snakemake imports it too
begun = time.perf_counter()
from minima.plan.workplan import Plan
plan = Plan(config)
for pack in plan.packs: plan.pack_stamp(pack)
print(time.perf_counter() - begun)
"""


@contextmanager
def copy_of_the_repository() -> Iterator[Path]:
    """A folder in which the workflow can run from nothing."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "minima"
        kept_out = shutil.ignore_patterns(".git", ".venv", ".snakemake", "results", "__pycache__")
        shutil.copytree(ROOT, folder, ignore=kept_out)
        yield folder


def seconds(command: Sequence[str], folder: Path) -> float:
    begun = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - begun


def parse(folder: Path) -> float:
    return float(subprocess.check_output([sys.executable, "-c", PARSE], cwd=folder))


def main() -> None:
    with copy_of_the_repository() as folder:
        rows = {
            "parse": [parse(folder) for _ in range(3)],
            "smoke": [seconds([*SNAKEMAKE, *SMOKE], folder)],
            "again": [seconds([*SNAKEMAKE, *SMOKE], folder) for _ in range(3)],
        }
        if "--default" in sys.argv:
            rows["default"] = [seconds([*SNAKEMAKE, "--cores", "all"], folder)]
    print("| what | seconds |\n|---|---|")
    for what, times in rows.items():
        print(f"| {what} | {statistics.median(times):.2f} |")


if __name__ == "__main__":
    main()
