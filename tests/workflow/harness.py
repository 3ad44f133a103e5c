"""The real workflow in a copy of the repository, on a grid of seconds.

Starting Snakemake takes a second and a training job three (`import torch`), so one completed run is made per
session and each test works on its own copy of it.
"""

import copy
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from minima.plan.workplan import Plan

ROOT = Path(__file__).parents[2]
SNAKEMAKE = Path(sys.executable).parent / "snakemake"
LOGS = [  # that say what was done
    f"results{within}/logs/{rule}"
    for rule in ("train_pack", "draw_figures")
    for within in ("", "/replications/*")
]
DATASET = "results/question/dataset.nc"  # as a target: figures and report cost seconds
JOBS = "workflow_scripts/minima/jobs/train_pack.py"
TRAP = """

import os, time
from pathlib import Path
import numpy as np
from minima.training import cells as training

def with_trap(train_cells):
    def train(cells, *rest):
        for number, done in enumerate(train_cells(cells, *rest), 1):
            time.sleep({pause} if number == 2 else 0)
            yield done
            if number == 2:
                {statement}
    return train

def wait_for(name):
    while not Path(name).exists():
        time.sleep(0.05)

training.train_cells = with_trap(training.train_cells)
"""

# 16 cells of digits in four groups (width × optimizer) of one pack, 6 of the user's own table in another.
CONFIG = yaml.safe_load("""
data:
  digits: {source: digits, classes: [3, 8], train_size: 20, test_size: 20}
  table: {source: file, path: table.npz, train_size: 10, test_size: 10, normalize: none}
studies:
  question:
    title: Does it hold?
    blocks:
      main:
        data: digits
        axes:
          network.width: [8, 16]
          optimizer: {plain: {name: gd}, heavy: {name: heavy_ball, momentum: 0.8}}
          optimizer.lr: [0.1, 0.05]
        seed: {start: 0, count: 2}
        stop: {residual: 0.1, max_steps: 200}
      own:
        data: table
        network: {width: 8}
        axes: {init.scale: [1, 2]}
        seed: {start: 0, count: 3}
        stop: {residual: 0.1, max_steps: 200}
    figures:
      error_vs_scale: {block: own}
      loss_curves: {block: own}
""")


def claim_of_little_change(study: str, block: str, **of_its_part: Any) -> dict[str, Any]:
    """A claim without its id: true of targets of order 1, false of targets a hundred times as large."""
    part = {
        "label": "MSE at σ = 2 minus at σ = 1",
        "estimand": "init_size.increase",
        "arguments": {"block": block, "scales": [1, 2], "measure": "test_mse"},
        "region": [-20, 20],
    }
    return {
        "study": study,
        "statement": "The initialization changes the test error by less than 20.",
        "control": {"reason": "none in a test"},
        "parts": [part | of_its_part],
    }


def cells_of(config: dict[str, Any], *only: str) -> set[str]:
    """Digests of the cells that a config asks for: of those whose JSON holds every text of `only`."""
    cells = Plan(config).cells.values()
    return {cell.digest for cell in cells if all(text in cell.json for text in only)}


@dataclass(frozen=True)
class Run:
    """What one call of snakemake did."""

    code: int
    output: str  # on the console, which is no terminal
    told: str  # by Snakemake, all of it: its log, or the console of a dry run, which has none
    logs: tuple[str, ...]  # of the training jobs that ran, then of those that draw

    @cached_property
    def trained(self) -> int:
        """How many cells were trained, as the jobs that came to their end count them."""
        return sum(int(n) for log in self.logs for n in re.findall(r"\btrained (\d+) cells", log))

    @cached_property
    def cells(self) -> set[str]:
        """Digests of the cells whose training came to its end."""
        return {cell for log in self.logs for cell in re.findall(r"\bcell (\w+) .* after \d+ steps", log)}

    @cached_property
    def drawn(self) -> list[str]:
        """The figures whose pictures were drawn."""
        return [name for log in self.logs for name in re.findall(r"\bdrew (\w+)", log)]

    @cached_property
    def jobs(self) -> Counter[str]:
        """Jobs started by rule."""
        return Counter(re.findall(r"^(?:local)?rule (\w+):", self.told, re.MULTILINE))

    def succeeded(self) -> "Run":
        assert self.code == 0, self.output + self.told + "".join(self.logs)
        return self


class Workflow:
    """A copy of the repository, in which snakemake can be run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config: dict[str, Any] = copy.deepcopy(CONFIG)
        self.known: dict[int, set[Path]] = {}  # process → Snakemake's logs before it

    @classmethod
    def fresh(cls, folder: Path) -> "Workflow":
        """The working tree as it is, without what git ignores and without results."""
        listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for name in filter(None, names.split("\0")):
            if (ROOT / name).is_file() and not name.startswith(("results/", "tests/")):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        rng = np.random.default_rng(0)
        write_table(folder / "table.npz", rng.standard_normal((60, 4)), rng.standard_normal(60))
        return cls(folder)

    def copied_to(self, folder: Path) -> "Workflow":
        shutil.copytree(self.folder, folder)
        return Workflow(folder)

    @property
    def main(self) -> dict[str, Any]:
        """The block `main` of the config, to be changed in place."""
        return self.config["studies"]["question"]["blocks"]["main"]

    def run(self, *arguments: str) -> Run:
        """Runs snakemake with `self.config` as the default config."""
        process = self.start(*arguments)
        return self.finish(process)

    def start(
        self,
        *arguments: str,
        command: Sequence[str | Path] = (SNAKEMAKE, "--cores", "2"),
        environment: Mapping[str, str] | None = None,
    ) -> "subprocess.Popen[str]":
        """Starts snakemake in a process group of its own."""
        config_file = self.folder / "config" / "config.yaml"
        text = yaml.safe_dump(self.config, sort_keys=False)
        if config_file.read_text(encoding="utf-8") != text:
            config_file.write_text(text, encoding="utf-8")
        for logs in LOGS:  # jobs that do not run count nothing
            for folder in self.folder.glob(logs):
                shutil.rmtree(folder, ignore_errors=True)
        known = self.told()
        process = subprocess.Popen(
            [*command, *arguments],
            cwd=self.folder,
            env={k: v for k, v in os.environ.items() if not k.startswith(("SNAKEMAKE", "PYTHON"))}
            | dict(environment or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            # What runs in a shell's background ignores Ctrl-C, and so would all that it starts.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self.known[process.pid] = known
        return process

    def told(self) -> set[Path]:
        """Snakemake's own logs, one per run."""
        return {*self.folder.glob(".snakemake/log/*.log")}

    def finish(self, process: "subprocess.Popen[str]") -> Run:
        """Waits for a started run to end."""
        output, _ = process.communicate(timeout=900)  # of a busy machine
        logs = [log for logs in LOGS for log in sorted(self.folder.glob(f"{logs}/*.log"))]
        own = sorted(self.told() - self.known.pop(process.pid))  # first: another run may have begun since
        return Run(
            process.returncode,
            output,
            own[0].read_text(encoding="utf-8") if own else output,
            tuple(log.read_text(encoding="utf-8") for log in logs),
        )

    def append(self, path: str, text: str) -> None:
        with (self.folder / path).open("a", encoding="utf-8") as file:
            file.write(text)

    def after_two_cells(self, statement: str, written: bool = False) -> None:
        """Puts a statement into training jobs where two of their cells have finished.

        None is in the store then, or both where `written`: the job writes when two seconds have passed. The
        job's module, at whose end this is put, is no part of any fingerprint.
        """
        self.append(JOBS, TRAP.format(pause=2.1 if written else 0, statement=statement))

    def without_traps(self) -> None:
        shutil.copy(ROOT / JOBS, self.folder / JOBS)

    def files(self, pattern: str) -> dict[str, bytes]:
        """Name → content of the results that match."""
        results = self.folder / "results"
        return {str(path.relative_to(results)): path.read_bytes() for path in sorted(results.glob(pattern))}


def wait_for(condition: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    """Waits until something holds of a started run."""
    deadline = time.monotonic() + 300  # of a busy machine
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def write_table(path: Path, x: np.ndarray, y: np.ndarray) -> None:
    np.savez(path, x=x, y=y)
