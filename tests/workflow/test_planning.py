"""Planning stays light: every cluster job parses the Snakefile again."""

import os
import subprocess
import sys
from statistics import mean, median

import pytest
from harness import ROOT, SNAKEMAKE

# The unit of time is what the machine takes just then to read the studies' YAML in pure Python, as Snakemake
# reads a config's.
PARSE = """
import sys, time
from pathlib import Path
import yaml, pydantic  # which Snakemake has loaded already, with a model of its own
pydantic.create_model("Model")

def seconds(work):
    begun = time.process_time()
    work()
    return time.process_time() - begun

def read():
    for path in Path("workflow_scripts/studies").glob("*/study.yaml"):
        yaml.safe_load(path.read_text(encoding="utf-8"))

def parse():
    from minima.plan.workplan import Plan
    plan = Plan(raw)
    plan.check()
    for name, pack in plan.packs.items():
        plan.stamps.pack(name), pack.cost, pack.at_most

raw = yaml.safe_load(open("config/config.yaml", encoding="utf-8"))
before = [seconds(read) for _ in range(2)]
parsing = seconds(parse)
reading = before + [seconds(read) for _ in range(2)]
print(parsing / (sum(reading) / 4))
print(*(name for name in ("torch", "xarray", "sklearn", "scipy", "numpy", "pandas") if name in sys.modules))
"""

SAID = ("train_pack", "cpu_seconds", "peak_kb")
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
    """Wanted: 0.5 s beyond Snakemake's own start, where reading the studies' YAML takes 0.08 s. Measured: 7.3
    to 8.5 such readings, up to 9.6 beside other work; 6 to 7 before kinds of network had options of modules
    and studies had blocks of them. At most: 11."""
    # As for all jobs but the first, modules are compiled already.
    environment = os.environ | {"PYTHONPATH": "workflow_scripts", "PYTHONPYCACHEPREFIX": str(tmp_path)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    ratios = []
    for _ in range(3):
        command = [sys.executable, "-c", PARSE]
        run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        ratio, heavy = run.stdout.split("\n")[:2]
        assert not heavy, "plan imports neither torch nor xarray, sklearn …"
        ratios.append(float(ratio))
    assert median(ratios) < 11, ratios


@pytest.mark.slow
def test_a_dry_run_of_20_000_cells_takes_seconds(fresh):
    """More than 200 packs within 300 MB, and within three times what the processor takes for two packs, which
    is Snakemake's own start for the most part. Measured: twice."""
    command = [sys.executable, "-c", PEAK, SNAKEMAKE, "--cores", "2"]

    def dry_run() -> dict[str, float]:
        run = fresh.finish(fresh.start("--dry-run", "--quiet", "rules", command=command))
        assert run.code == 0, run.output
        words = (line.split() for line in run.output.splitlines())
        return {line[0]: float(line[1]) for line in words if line and line[0] in SAID}

    few = [dry_run()["cpu_seconds"] for _ in range(2)]
    fresh.config["execution"] = {"pack_minutes": 0.1}
    fresh.main["axes"] = {
        "network.width": list(range(8, 28)),
        "optimizer.name": ["gd", "heavy_ball"],
        "init.scale": [1, 2, 3, 4, 5],
    }
    fresh.main["seed"] = {"start": 0, "count": 100}
    fresh.main["stop"] = {"max_steps": 100_000}
    many = dry_run()
    assert 200 < many["train_pack"] < 300
    assert many["cpu_seconds"] < 3 * mean(few)
    assert many["peak_kb"] < 300 * 1024
