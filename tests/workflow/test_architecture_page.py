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
EDIT = re.compile(r"(?:New file|In) `([^`]+)`(?:,\s+above `([^`]+)`)?:\n\n```\w+\n(.*?)```", re.DOTALL)
CELLS = """
import yaml
from minima.plan.workplan import Plan
plan = Plan(yaml.safe_load(open("config/published.yaml")))
print(*(plan.pack_stamp(name) for name in plan.packs))
"""


def edits(section):
    """Path, the line above which the code goes (none: a new file), and the code."""
    return [match.groups() for match in EDIT.finditer(SECTIONS[section])]


@pytest.mark.parametrize("section", SECTIONS)
def test_an_addition_is_small(section):
    lines = [line for _, _, code in edits(section) for line in code.splitlines() if line.strip()]
    assert 0 < len(lines) < 20
    assert max(map(len, lines)) <= 118


def add(folder, path, anchor, code):
    file = folder / path
    if not anchor:
        assert not file.exists()
        file.write_text(code, encoding="utf-8")
        return
    text = file.read_text(encoding="utf-8")
    assert text.count(f"\n{anchor}\n") == 1, f"{path}: {anchor}"
    apart = "" if code.startswith(" ") else "\n\n"
    file.write_text(text.replace(f"\n{anchor}\n", f"\n{code}{apart}{anchor}\n"), encoding="utf-8")


def python(workflow, *arguments):
    command = [sys.executable, *arguments]
    environment = {"PYTHONPATH": "workflow_scripts"}
    done = subprocess.run(command, cwd=workflow.folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_page_is_what_it_takes(fresh):
    """The new study trains with the new optimizer and init, beside the new reference; the new figure draws it
    and the new claim is judged. The default studies would train nothing again."""
    (fresh.folder / "config" / "published.yaml").write_bytes((ROOT / "config" / "config.yaml").read_bytes())
    before = python(fresh, "-c", CELLS)
    for section in SECTIONS:
        for edit in edits(section):
            add(fresh.folder, *edit)
    assert python(fresh, "-c", CELLS) == before
    for command in (["check"], ["format", "--check"]):
        python(fresh, "-m", "ruff", *command, "workflow_scripts")
    python(fresh, "-m", "minima.plan.generated")
    schema = (fresh.folder / "config" / "schema.json").read_text(encoding="utf-8")
    assert all(f'"{name}"' in schema for name in ("clipped", "uniform", "laplace"))

    run = fresh.run("--configfile", "bounded.yaml").succeeded()
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
