"""The workflow as `snakedeploy deploy-workflow` lays it out: a folder with our config and profiles and a
Snakefile that names the repository, of which Snakemake keeps a clone."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from harness import DATASET, ROOT, Run, Workflow

# What snakedeploy 0.17 writes, word for word but for the source.
SNAKEFILE = """from snakemake.utils import min_version


min_version("6.10.0")


configfile: "config/config.yaml"


# declare {repository} as a module
module minima:
    snakefile: 
        {source}
    config:
        config


# use all rules from {repository}
use rule * from minima
"""  # noqa: W291
PAGE = (ROOT / "docs" / "running.md").read_text(encoding="utf-8")
(CONSOLE,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
REPOSITORY = "https://github.com/owner/minima"
GIT = ("git", "-c", "user.name=Minima", "-c", "user.email=minima@example.org")


class Deployed(Workflow):
    """A folder that snakedeploy wrote, and what the network is for Snakemake's git."""

    environment: dict[str, str]

    def run(self, *arguments: str) -> Run:
        return self.finish(self.start(*arguments, environment=self.environment))


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run([*GIT, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def deployed(tmp_path: Path) -> Deployed:
    """Deployed from a commit, in a folder that holds nothing else of ours but the user's own table."""
    source = Workflow.fresh(tmp_path / "source")
    git(source.folder, "init", "--quiet")
    git(source.folder, "add", ".")
    git(source.folder, "commit", "--quiet", "--message", "all")
    commit = git(source.folder, "rev-parse", "HEAD")
    named = f'github("owner/minima", path="Snakefile", commit="{commit}")'
    folder = tmp_path / "deployed"
    for name in ("config", "profiles"):
        shutil.copytree(source.folder / name, folder / name)
    (folder / "workflow").mkdir()
    text = SNAKEFILE.format(repository=REPOSITORY, source=named)
    (folder / "workflow" / "Snakefile").write_text(text, encoding="utf-8")
    shutil.copy2(source.folder / "table.npz", folder)
    workflow = Deployed(folder)
    workflow.config["studies"]["question"]["blocks"].pop("main")
    workflow.environment = {
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{source.folder}.insteadOf",
        "GIT_CONFIG_VALUE_0": REPOSITORY,
    }
    return workflow


def test_a_deployed_workflow_runs_where_it_was_deployed(deployed: Deployed):
    """Its config is read, its scripts find the package, results are beside the config, and a second run finds
    them. Nothing is written into the source, which the clone stands for."""
    source = deployed.folder.parent / "source"
    before = {path: path.stat().st_mtime_ns for path in source.rglob("*")}
    run = deployed.run(DATASET).succeeded()
    assert run.trained == 6
    assert "Nothing to be done" in deployed.run(DATASET).output
    assert before == {path: path.stat().st_mtime_ns for path in source.rglob("*")}


def test_our_console_is_there_for_three_lines(deployed: Deployed):
    """As docs/running.md says; without them Snakemake's own is."""
    run = deployed.run(DATASET, "--until", "prepare_data").succeeded()
    assert "Minima:" not in run.output
    with (deployed.folder / "workflow" / "Snakefile").open("a", encoding="utf-8") as file:
        file.write(f"\n\n{CONSOLE}")
    run = deployed.run(DATASET).succeeded()
    assert re.search(r"^Minima: ", run.output, re.MULTILINE)
    assert re.search(r"^Done in \d+ s: 6 networks", run.output, re.MULTILINE)
    assert "rule train_pack:" not in run.output
    assert run.trained == 6
