"""The config that an archive holds asks for the same networks again."""

import zipfile

import pytest
import yaml
from tests.unit.worlds import ROOT

from minima.findings import archive
from minima.plan.workplan import Plan

DEFAULT = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("study", DEFAULT["run"])
def test_an_archived_config_reads_back(study, tmp_path, monkeypatch):
    """Of every study: kinds of network have defaults of their own, so not all can be written out."""
    plan = Plan(DEFAULT | {"run": [study], "results": str(tmp_path)})
    monkeypatch.setattr(archive, "results_of", lambda plan: [])
    archive.write_archive(plan, tmp_path / "archive.zip")
    with zipfile.ZipFile(tmp_path / "archive.zip") as packed:
        again = Plan(yaml.safe_load(packed.read(archive.CONFIG)))
    assert again.cells == plan.cells
    assert again.stamps.study(study) == plan.stamps.study(study)
    assert again.config.results == "results"
