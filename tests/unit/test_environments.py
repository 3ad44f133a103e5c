"""Where the workflow runs: containers have its pins, profiles speak to what is there."""

import os
import re
import subprocess
import venv
from pathlib import Path

import pytest
import yaml
from snakemake.cli import get_argument_parser

ROOT = Path(__file__).parents[2]
ENVS = ROOT / "rules" / "envs"
PROFILES = sorted((ROOT / "profiles").glob("*/profile.yaml"))


@pytest.mark.parametrize("name", ["minima.def", "Dockerfile"])
def test_a_container_installs_the_lock_on_the_python_of_the_conda_environment(name):
    text = (ENVS / name).read_text(encoding="utf-8")
    conda = yaml.safe_load((ENVS / "minima.yaml").read_text(encoding="utf-8"))
    (python,) = (one for one in conda["dependencies"] if str(one).startswith("python "))
    assert re.search(r"^from:? python:([\d.]+)-slim$", text, re.MULTILINE | re.IGNORECASE)[1] == python[9:]
    assert "pip install --no-cache-dir --requirement /requirements.lock" in text
    copied = re.search(r"requirements\.lock /requirements\.lock$", text, re.MULTILINE)
    assert copied, "which the build finds in the folder that it is called in"
    assert (ROOT / "requirements.lock").exists()


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.parent.name)
def test_every_key_of_a_profile_is_known_to_what_is_installed(path):
    """To Snakemake, or to its plugin for SLURM, whose options begin with slurm."""
    known = {*re.findall(r"(?<!\S)--[\w-]+", get_argument_parser().format_help())}
    keys = yaml.safe_load(path.read_text(encoding="utf-8"))
    if keys.get("executor") == "slurm":
        pytest.importorskip("snakemake_executor_plugin_slurm")
        assert any(key.startswith("slurm-") for key in keys)
    assert [key for key in keys if f"--{key}" not in known] == []
    assert "--slurm-no-such-option" not in known


def test_the_environment_of_make_knows_the_package_wherever_python_is_started(tmp_path):
    """README's `from minima import which_minimizer`; here in one without the lock's packages, by make's own
    recipe."""
    copy = tmp_path / "a clone"
    copy.mkdir()
    for name in ("Makefile", "requirements.lock"):
        (copy / name).write_bytes((ROOT / name).read_bytes())
    (copy / "workflow_scripts").symlink_to(ROOT / "workflow_scripts")
    said = subprocess.run(
        ["make", "-n", ".venv/installed"], cwd=copy, capture_output=True, text=True, check=True
    )
    recipe = [line for line in said.stdout.splitlines() if "workflow_scripts" in line]
    venv.create(copy / ".venv", with_pip=False)
    subprocess.run(["sh", "-ec", "\n".join(recipe)], cwd=copy, check=True)
    there = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    python, asked = copy / ".venv" / "bin" / "python", "import minima; print(minima.__path__[0])"
    found = subprocess.run(
        [python, "-c", asked], cwd=tmp_path, env=there, capture_output=True, text=True, check=True
    )
    assert Path(found.stdout.strip()).resolve() == ROOT / "workflow_scripts" / "minima"
