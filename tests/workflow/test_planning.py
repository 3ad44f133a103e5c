"""Planning stays light: every cluster job parses the Snakefile again."""

import os
import subprocess
import sys

import pytest
from harness import ROOT, SNAKEMAKE

PARSE = """
import sys, time
import yaml  # which Snakemake has loaded already
begun = time.process_time()
from minima.plan.workplan import Plan
plan = Plan(yaml.safe_load(open("config/config.yaml")))
stamps = [plan.pack_stamp(name) for name in plan.packs]
print(time.process_time() - begun)
print(*(name for name in ("torch", "xarray", "sklearn", "scipy", "numpy", "pandas") if name in sys.modules))
"""

# A small process between this one and Snakemake: a fork of pytest would count pytest's own memory.
PEAK = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print("peak_kb", used.ru_maxrss)
print("cpu_seconds", used.ru_utime + used.ru_stime, flush=True)
sys.exit(code)
"""


def test_the_default_config_is_parsed_in_no_time():
    """Wanted: 0.5 s beyond Snakemake's own start. Measured: 0.2 s of the processor."""
    command = [sys.executable, "-c", PARSE]
    environment = os.environ | {"PYTHONPATH": "workflow_scripts"}
    out = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert float(out[0]) < 1.0
    assert out[1:] in ([], [""]), "plan imports neither torch nor xarray, sklearn …"


@pytest.mark.slow
def test_a_dry_run_of_20_000_cells_takes_seconds(fresh):
    """More than 200 packs within 10 s of the processor and 300 MB."""
    fresh.config["execution"] = {"pack_minutes": 0.1}
    fresh.main["axes"] = {
        "network.width": list(range(8, 28)),
        "optimizer.name": ["gd", "heavy_ball"],
        "init.scale": [1, 2, 3, 4, 5],
    }
    fresh.main["seed"] = {"start": 0, "count": 100}
    fresh.main["stop"] = {"max_steps": 100_000}
    command = [sys.executable, "-c", PEAK, SNAKEMAKE, "--cores", "2"]
    run = fresh.finish(fresh.start("--dry-run", "--quiet", "rules", command=command))
    output = run.output
    assert run.code == 0, output

    def said(what: str) -> float:
        return next(float(line.split()[1]) for line in output.splitlines() if line.startswith(f"{what} "))

    assert 200 < said("train_pack") < 300
    assert said("cpu_seconds") < 10
    assert said("peak_kb") < 300 * 1024
