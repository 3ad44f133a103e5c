"""How long the workflow itself takes on this machine: python benchmarks/workflow.py [--default]

In seconds of wall time, in a copy of the repository. `parse` is what the plan of the default config adds to
Snakemake's own start, `again` a second run with nothing to do: medians of three. `smoke` and, with --default,
`default` are whole runs from an empty results folder, once each, with the shares of their CPU seconds.

    python benchmarks/workflow.py --shares results

says the shares of a run that was made from an empty folder. Of each rule: its jobs, the CPU seconds of them
all (their logs), of the training in them (the journal), and of their starts: as many times what a process of
this machine takes to start Python, Snakemake's preamble, the script's imports and the default config's plan.
"""

import ast
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
SNAKEMAKE = [sys.executable, "-m", "snakemake"]
SMOKE_RESULTS = "results/smoke"
SMOKE = ["--cores", "all", "--configfile", "config/smoke.yaml"]
PARSE = """
import sys, time, yaml
sys.path.insert(0, "workflow_scripts")
config = yaml.safe_load(open("config/config.yaml"))
import pydantic  # Snakemake imports it too
begun = time.perf_counter()
from minima.plan.workplan import Plan
plan = Plan(config)
for pack in plan.packs: plan.stamps.pack(pack)
print(time.perf_counter() - begun)
"""


RULES = [
    *("prepare_data", "train_pack", "fit_reference", "aggregate_study"),
    *("judge_study", "judge_claims", "draw_figures", "describe_study", "write_report", "write_provenance"),
]
PREAMBLE = "from snakemake.logging import logger; from snakemake.iocontainers import Snakemake"
START = """
import json
{imports}
from minima.plan.workplan import Plan
plan = Plan(json.load(open("{config}")))
"""


def shares(results: Path) -> str:
    """`shares` returns the table of a finished run."""
    journal = [json.loads(line) for path in results.glob("journal/*.jsonl") for line in path.open()]
    trained = sum(entry["cpu_seconds"] for entry in journal)
    lines = ["| rule | jobs | CPU seconds | of training | of starts |", "|---|---|---|---|---|"]
    sums = [0.0, 0.0, 0.0, 0.0]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as config:
        json.dump(yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8")), config)
        config.flush()
        for rule in RULES:
            logs = [*results.glob(f"logs/{rule}.log"), *results.glob(f"logs/{rule}/*.log")]
            if not logs:
                continue
            training = trained if rule == "train_pack" else 0.0
            taken = sum(map(cpu_seconds, logs))
            row = [len(logs), taken, training, len(logs) * start_seconds(rule, config.name)]
            sums = [a + b for a, b in zip(sums, row, strict=True)]
            lines.append(f"| {rule} | {' | '.join(f'{number:.0f}' for number in row)} |")
    lines.append(f"| all | {' | '.join(f'{number:.0f}' for number in sums)} |")
    _, total, training, starts = sums
    return (
        "\n".join(lines) + f"\n\nTraining is {training / total:.0%} of it, starts are {starts / total:.0%}."
    )


def cpu_seconds(log: Path) -> float:
    """`cpu_seconds` returns what the job of a log took, as it says at its end."""
    return float(re.findall(r"took ([\d.]+) seconds of CPU", log.read_text(encoding="utf-8"))[-1])


def start_seconds(rule: str, config: str) -> float:
    """`start_seconds` returns the least CPU seconds of three processes that start as jobs of this rule."""
    script = ast.parse((ROOT / "workflow_scripts" / f"{rule}.py").read_text(encoding="utf-8"))
    imports = [ast.unparse(node) for node in ast.walk(script) if isinstance(node, ast.ImportFrom)]
    if rule == "train_pack":
        imports.append("import minima.training.cells")  # by a job that has something to train
    code = START.format(imports="\n".join([PREAMBLE, *imports]), config=config)
    taken = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": "workflow_scripts"},
            check=True,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(taken)


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
    if "--shares" in sys.argv:
        print(shares(Path(sys.argv[sys.argv.index("--shares") + 1])))
        return
    with copy_of_the_repository() as folder:
        rows = {
            "parse": [parse(folder) for _ in range(3)],
            "smoke": [seconds([*SNAKEMAKE, *SMOKE], folder)],
            "again": [seconds([*SNAKEMAKE, *SMOKE], folder) for _ in range(3)],
        }
        if "--default" in sys.argv:
            rows["default"] = [seconds([*SNAKEMAKE, "--cores", "all"], folder)]
        tables = [
            shares(folder / SMOKE_RESULTS),
            *([shares(folder / "results")] if "default" in rows else []),
        ]
    print("| what | seconds |\n|---|---|")
    for what, times in rows.items():
        print(f"| {what} | {statistics.median(times):.2f} |")
    print("", *tables, sep="\n\n")


if __name__ == "__main__":
    main()
