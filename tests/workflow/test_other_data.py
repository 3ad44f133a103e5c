"""The same claims on other data: each data set trains its own cells and no others, and the table says where a
claim holds."""

import json

import numpy as np
import pytest
import yaml
from harness import Workflow, claim_of_little_change, write_table

SMALL = {"id": "question-1"} | claim_of_little_change("question", "claimed", interval="every", replicates=3)
CLAIMED = {  # wide enough to fit ten rows in little time
    "data": "table",
    "network": {"width": 64},
    "optimizer": {"name": "flow", "tolerance": 0.1},
    "axes": {"init.scale": [1, 2]},
    "seed": {"start": 0, "count": 3},
    "stop": {"residual": 0.1, "max_steps": 20_000},
}
BESIDE = SMALL | {"id": "question-2", "statement": "It rises."}
BESIDE["parts"] = [SMALL["parts"][0] | {"region": [0, None]}]


@pytest.fixture
def replicated(workflow: Workflow) -> Workflow:
    """The finished run with a claim and other data for its table."""
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((60, 4)), rng.standard_normal(60)
    write_table(workflow.folder / "near.npz", x, y)
    write_table(workflow.folder / "far.npz", x, 100 * y)
    workflow.config["studies"]["question"]["roles"] = {"own_table": ["table"], "pictures": ["digits"]}
    workflow.config["replications"] = {
        "near": {"title": "another table", "data": {"own_table": {"path": "near.npz"}}, "seed_shift": 10},
        "gone": {"data": {"own_table": {"path": "gone.npz"}}},
    }
    assert "Nothing to be done" in workflow.run("results/question/dataset.nc").succeeded().output
    workflow.config["studies"]["question"]["blocks"]["claimed"] = CLAIMED
    workflow.config["studies"]["question"]["figures"]["claimed"] = {
        "kind": "error_vs_scale",
        "block": "claimed",
    }
    register(workflow, SMALL)
    return workflow


def register(workflow: Workflow, *claims: dict) -> None:
    (workflow.folder / "register.yaml").write_text(yaml.safe_dump({"claims": list(claims)}))
    workflow.config["claims"] = "register.yaml"


def verdicts(workflow: Workflow, claim: str = "question-1") -> dict[str, str]:
    """Data set → verdict, of the table."""
    table = json.loads((workflow.folder / "results/replications.json").read_text(encoding="utf-8"))
    (found,) = (one for one in table["claims"] if one["id"] == claim)
    return {name: on["verdict"] for name, on in found["on"].items()} | {"reach": found["reach"]}


def test_each_data_set_trains_its_own_cells(replicated):
    """Roles and replications leave the results of the studies as they are; one more data set trains its own
    cells only, one more claim none; what cannot be had is said."""
    run = replicated.run("replications").succeeded()
    assert run.trained == 12
    found = verdicts(replicated)
    assert (found[""], found["near"], found["gone"]) == ("supported", "supported", "not asked")
    page = (replicated.folder / "results/replications.md").read_text(encoding="utf-8")
    assert "there is no file gone.npz" in page

    replicated.config["replications"]["far"] = {"data": {"own_table": {"path": "far.npz"}}}
    run = replicated.run("replications").succeeded()
    assert run.trained == 6
    assert (replicated.folder / "results/replications/far/question/dataset.nc").exists()
    found = verdicts(replicated)
    assert (found["near"], found["far"]) == ("supported", "refuted")
    assert "2 of 3" in found["reach"]
    assert "far" in found["reach"]

    register(replicated, SMALL, BESIDE)
    run = replicated.run("replications").succeeded()
    assert (run.jobs["judge_study"], run.jobs["judge_claims"], run.jobs["train_pack"]) == (3, 4, 0)
    assert set(verdicts(replicated, "question-2")) == {"", "near", "gone", "far", "reach"}
    assert "Nothing to be done" in replicated.run("replications").succeeded().output


def test_one_replication_is_run_as_the_studies_are(replicated):
    """By its name it has figures and a report of its own; the plan tells its price."""
    plan = replicated.run("plan").succeeded()
    assert "near" in plan.output
    priced = json.loads((replicated.folder / "results/plan.json").read_text())["replications"]
    assert priced["near"]["studies"]["question"]["new"] == 6
    run = replicated.run("--config", "replication=near").succeeded()
    assert run.trained == 6
    folder = replicated.folder / "results/replications/near"
    assert {path.name for path in folder.iterdir()} >= {
        "report.html",
        "claims.md",
        "provenance.json",
        "question",
    }
    assert "claimed.png" in {path.name for path in (folder / "question/figures").iterdir()}
    assert "Nothing to be done" in replicated.run("--config", "replication=near").succeeded().output
    assert "Every stored" in replicated.run("prune").succeeded().output
    wrong = replicated.run("--config", "replication=naer", "--dry-run")
    assert wrong.code != 0
    assert "did you mean 'near'?" in wrong.output
