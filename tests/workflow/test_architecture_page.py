"""What docs/architecture.md says of adding things: its very lines, in a copy of the repository."""

import json
import re
import subprocess
import sys

import pytest
import xarray as xr
from harness import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
SECTIONS = {part.split("\n")[0]: part for part in PAGE.split("\n### ")[1:]}
FILE = re.compile(r"New file `([^`]+)`:\n\n```\w+\n(.*?)```", re.DOTALL)
STAMPS = """
import yaml
from minima.plan.workplan import Plan
raw = yaml.safe_load(open("config/config.yaml"))
plan = Plan(raw | {"extensions": [%r]} if %r else raw)
print(*(plan.stamps.pack(name) for name in plan.packs))
"""


def files(section):
    """Path and content of every file of a section."""
    return FILE.findall(SECTIONS[section])


@pytest.mark.parametrize("section", SECTIONS)
def test_an_addition_is_small(section):
    for path, code in files(section):
        lines = [line for line in code.splitlines() if line.strip()]
        assert 0 < len(lines) < 20, path
        assert max(map(len, lines)) <= 118, path


def python(workflow, *arguments):
    command = [sys.executable, *arguments]
    environment = {"PYTHONPATH": "workflow_scripts"}
    done = subprocess.run(command, cwd=workflow.folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_page_is_what_it_takes(fresh, tmp_path):
    """The new study trains with the new optimizer and init, beside the new reference; the new figure draws it
    and the new claim is judged. The default studies would train nothing again."""
    mine = tmp_path / "mine"
    for section in SECTIONS:
        for path, code in files(section):
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(code, encoding="utf-8")
    assert python(fresh, "-c", STAMPS % ("", "")) == python(fresh, "-c", STAMPS % (str(mine), str(mine)))
    style = ["--config", str(ROOT / "pyproject.toml"), str(mine)]
    for command in (["check"], ["format", "--check"]):
        python(fresh, "-m", "ruff", *command, *style)

    run = fresh.run("--configfile", str(tmp_path / "bounded.yaml")).succeeded()
    assert run.trained == 20
    results = fresh.folder / "results"
    with xr.open_datatree(results / "bounded" / "dataset.nc") as tree:
        assert (tree["trained/main"].ds.status == "converged").all()
        assert set(tree["reference/main"].ds.reference.values) == {"ntk", "laplace"}
        steps = tree["trained/main"].ds.steps.mean(("seed", "scheme"))
        assert steps.sel(optimizer="bounded") > steps.sel(optimizer="plain")
    assert (results / "bounded" / "figures" / "error_by_seed.png").exists()
    (verdict,) = json.loads((results / "claims.json").read_text(encoding="utf-8"))
    assert (verdict["id"], verdict["verdict"]) == ("bounded-1", "supported")
    assert verdict["control"]["outcome"] == "holds"
