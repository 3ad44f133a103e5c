"""Where the workflow runs: containers have its pins, profiles speak to what is there."""

import re
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
