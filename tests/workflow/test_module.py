"""The workflow as a module of another workflow, as config/README.md says, in another folder and without our
profile."""

import copy
import re
import shutil
from pathlib import Path

import pytest
import xarray as xr
import yaml
from harness import DATASET, ROOT, Workflow

PAGE = (ROOT / "config" / "README.md").read_text(encoding="utf-8")
(MODULE,) = re.findall(r"```python\n(module minima:.*?)```", PAGE, re.DOTALL)
OWN = """
configfile: "settings.yaml"


rule mean_error:
    input:
        "found/question/dataset.nc",
    output:
        "mean_error.txt",
    script:
        "mean_error.py"
"""
SCRIPT = """
import xarray as xr
tree = xr.open_datatree(snakemake.input[0])
with open(snakemake.output[0], "w") as file:
    print(float(tree["trained/own"].ds.test_mse.mean()), file=file)
"""


@pytest.fixture
def other(completed: Workflow, tmp_path: Path) -> Workflow:
    """Another workflow, in a folder that holds nothing of ours but the user's own table."""
    folder = tmp_path / "other"
    (folder / "config").mkdir(parents=True)
    minima = copy.deepcopy(completed.config) | {"results": "found", "claims": None}
    minima["studies"]["question"]["blocks"].pop("main")
    (folder / "settings.yaml").write_text(yaml.safe_dump({"own": 1, "minima": minima}), encoding="utf-8")
    (folder / "config" / "config.yaml").write_text("{}", encoding="utf-8")
    module = MODULE.replace("path/to/minima", str(completed.folder))
    (folder / "Snakefile").write_text(f"{OWN}\n{module}", encoding="utf-8")
    (folder / "mean_error.py").write_text(SCRIPT, encoding="utf-8")
    shutil.copy2(completed.folder / "table.npz", folder)
    workflow = Workflow(folder)
    workflow.config = {"nothing": "of ours"}
    return workflow


def test_another_workflow_uses_this_one_as_a_module(other: Workflow, completed: Workflow):
    """Its own first rule stays the default and runs ours; config, scripts, package, logs and results are
    where they should be."""
    before = sorted(completed.folder.rglob("*"))
    run = other.run().succeeded()
    assert run.jobs["minima_train_pack"] == 1
    assert run.jobs["mean_error"] == 1
    dataset = other.folder / "found" / "question" / "dataset.nc"
    with xr.open_datatree(dataset) as found, xr.open_datatree(completed.folder / DATASET) as ours:
        xr.testing.assert_equal(found["trained/own"], ours["trained/own"])
    assert list((other.folder / "found" / "logs").glob("train_pack/*.log"))
    assert not (other.folder / "results").exists()
    assert sorted(completed.folder.rglob("*")) == before

    assert "Nothing to be done" in other.run().output
    assert "Nothing to train." in other.run("minima_plan").succeeded().output
    everything = other.run("minima_all").succeeded()
    assert (other.folder / "found" / "report.html").exists()
    assert not everything.jobs["minima_train_pack"]
