"""Planning stays light: every cluster job parses the Snakefile again."""

import os
import subprocess
import sys

import pytest
from harness import ROOT, SNAKEMAKE

# The unit of time is what Snakemake takes to read the config's YAML in pure Python: as long as the machine is
# slow.
PARSE = """
import sys, time
import yaml, pydantic  # which Snakemake has loaded already, with a model of its own
pydantic.create_model("Model")

def seconds(work):
    begun = time.process_time()
    work()
    return time.process_time() - begun

def parse():
    from minima.plan.workplan import Plan
    plan = Plan(raw)
    plan.check()
    for name, pack in plan.packs.items():
        plan.pack_stamp(name), pack.cost, pack.at_most

text = open("config/config.yaml", encoding="utf-8").read()
raw = yaml.safe_load(text)
print(min(seconds(lambda: yaml.safe_load(text)) for _ in range(3)), seconds(parse))
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


def test_the_default_config_is_parsed_in_no_time(tmp_path):
    """Wanted: 0.5 s beyond Snakemake's own start, where reading the config's YAML takes 0.08 s. Measured: six
    such readings. At most: nine."""
    # As for all jobs but the first, modules are compiled already.
    environment = os.environ | {"PYTHONPATH": "workflow_scripts", "PYTHONPYCACHEPREFIX": str(tmp_path)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    times = []
    for _ in range(4):
        command = [sys.executable, "-c", PARSE]
        run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        seconds, heavy = run.stdout.split("\n")[:2]
        assert not heavy, "plan imports neither torch nor xarray, sklearn …"
        times.append([float(word) for word in seconds.split()])
    reading, parsing = map(min, zip(*times, strict=True))  # least: what else the machine does, it adds
    assert parsing < 9 * reading


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
