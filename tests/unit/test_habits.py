"""What keeps the repository in order: the hosted CI runs what is run here, and a release is whole."""

import shutil
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILES = ("pyproject.toml", "CITATION.cff", "CHANGELOG.md")


def test_the_hosted_ci_runs_what_is_run_here():
    ci = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    steps = ci["jobs"]["test"]["steps"]
    assert any(".ci/run" in step.get("run", "") for step in steps)
    versions = [step["uses"].split("@")[1] for step in steps if "uses" in step]
    assert all(len(version) == 40 for version in versions), "actions are pinned by commit"


def test_the_hosted_ci_begins_at_the_oldest_python_that_is_supported():
    ci = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    oldest = ci["jobs"]["test"]["strategy"]["matrix"]["python"][0]
    assert f'requires-python = ">={oldest}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


@pytest.fixture
def release():
    loader = SourceFileLoader("release", str(ROOT / ".ci" / "release"))
    module = module_from_spec(spec_from_loader("release", loader))
    loader.exec_module(module)
    return module


def test_this_version_could_be_released(release):
    assert release.problems(ROOT) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        pytest.param("pyproject.toml", 'version = "', 'version = "9', "CITATION.cff has", id="version"),
        pytest.param("CHANGELOG.md", "## ", "## Unreleased\n\n## ", "begins with 'Un", id="changelog"),
        pytest.param("CHANGELOG.md", " - 20", " - in 20", "has no date", id="no date"),
        pytest.param("CITATION.cff", "date-released: 2", "date-released: 1", "CITATION.cff is of", id="date"),
    ],
)
def test_what_does_not_agree_is_told(release, tmp_path, file, old, new, message):
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path)
    text = (tmp_path / file).read_text(encoding="utf-8")
    (tmp_path / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    assert any(message in problem for problem in release.problems(tmp_path))
