"""Where results come from, and that they can be had again from the archive alone."""

import json
import subprocess
import zipfile

import pytest
import yaml
from harness import Workflow

from minima.plan.versions import library_versions
from minima.plan.workplan import Plan

INCREASE = {
    "label": "test error at σ = 2 minus at σ = 1",
    "estimand": "init_size.increase",
    "arguments": {"block": "own", "scales": [1, 2], "measure": "test_error"},
    "region": [0, None],
}
REGISTER = {
    "claims": [
        {
            "id": "question-1",
            "paper": "none",
            "study": "question",
            "statement": "A larger initialization costs test error.",
            "parts": [INCREASE],
            "control": INCREASE | {"statement": "The same the other way round.", "region": [None, 0]},
        }
    ]
}


@pytest.fixture(scope="module")
def judged(completed: Workflow, tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """The finished run with a claim, a git repository around it, and its archive."""
    workflow = completed.copied_to(tmp_path_factory.mktemp("judged") / "minima")
    (workflow.folder / "register.yaml").write_text(yaml.safe_dump(REGISTER))
    workflow.config["claims"] = "register.yaml"
    someone = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    for command in (["init", "-q"], ["add", "Snakefile"], [*someone, "commit", "-q", "-m", "one file"]):
        subprocess.run(["git", *command], cwd=workflow.folder, check=True)
    run = workflow.run("all", "archive").succeeded()
    assert run.trained == 0
    return workflow


def test_the_provenance_says_config_code_cells_devices_and_times(judged):
    content = json.loads((judged.folder / "results/provenance.json").read_text())
    plan = Plan(judged.config | {"claims": None})
    assert content["config"]["studies"]["question"]["title"] == "Does it hold?"
    (record,) = (json.loads(text) for text in judged.files("records/*.json").values())
    assert content["cells"] == {"question": sorted(record["keys"])}
    assert len(record["keys"]) == len(plan.cells) == 22
    assert content["seeds"] == {"question": [0, 1, 2]}
    assert sum(code["cells"] for code in content["fingerprints"].values()) == 22
    assert all("minima.training.cells" in code["modules"] for code in content["fingerprints"].values())
    head = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=judged.folder, text=True).strip()
    assert content["git"]["commit"] == head
    assert content["git"]["dirty"]
    assert {"torch", "numpy", "snakemake", "xarray"} <= {*content["packages"]}
    assert content["versions"] == {library_versions(): 22}
    (device,) = content["devices"].values()
    assert device["cells"] == 22
    assert device["seconds"] > 0
    assert content["wall_seconds"]["train_pack"] > 0
    assert content["training"]["question"] == {
        key: device[key] for key in ("cells", "seconds", "cpu_seconds")
    }
    page = (judged.folder / "results/runtimes.md").read_text()
    assert f"| question | 22 | {device['seconds']:.0f} |" in page


def test_verdicts_figures_and_report_rebuild_from_the_archive_without_training(judged, tmp_path):
    """In a checkout that has neither store nor packs nor the user's own data file."""
    again = Workflow.fresh(tmp_path / "minima")
    (again.folder / "table.npz").unlink()
    with zipfile.ZipFile(judged.folder / "results/archive.zip") as archive:
        archive.extractall(again.folder)
    assert again.files("**/*.nc") == judged.files("question/dataset.nc")
    patterns = ("claims.*", "question/figures/*.csv", "question/figures/*.png", "report.html")
    found = [judged.files(pattern) for pattern in patterns]
    assert all(found)
    assert [again.files(pattern) for pattern in patterns] == found
    for pattern in patterns:
        for name in again.files(pattern):
            (again.folder / "results" / name).unlink()

    readme = (again.folder / "archive/README.md").read_text()
    command = readme.split("    snakemake --cores all ")[1].split("\n\n")[0].replace("\\\n", " ").split()
    run = again.run(*command).succeeded()
    assert {*run.jobs} == {
        *("judge_study", "judge_claims", "draw_figures", "describe_study", "write_report"),
        "all",
    }
    *others, (page,) = [again.files(pattern) for pattern in patterns]
    path = again.folder / "results" / page
    options = " --replace-workflow-config --configfile archive/config.yaml</code>"
    text = path.read_text(encoding="utf-8")
    assert text.count(options) == text.count("results/again/") > 0, (
        "a network is trained again by this config"
    )
    path.write_text(text.replace(options, "</code>"), encoding="utf-8")
    assert [*others, again.files("report.html")] == found
