"""Verdicts of a study and a report are there before the next is trained, and the whole page in the end."""

import json
import os
import signal

import pytest
import yaml
from harness import Workflow, claim_of_little_change, wait_for

CLAIM = claim_of_little_change("cheap", "own")
OPEN = "This page is not complete."


@pytest.fixture
def two_studies(fresh: Workflow) -> Workflow:
    """A study of 22 networks, and another whose networks are trained a thousand times as long."""
    study = fresh.config["studies"].pop("question")
    main, own = study["blocks"]["main"], study["blocks"]["own"]
    own["stop"]["max_steps"] = 201
    dear = {"blocks": {"main": main | {"stop": {"residual": 1e-9, "max_steps": 2000}}}}
    fresh.config["studies"] = {"dear": dear, "cheap": {"title": "Quick?", "blocks": {"own": own}}}
    claims = [CLAIM | {"id": f"cheap-{n}"} for n in (1, 2)]
    (fresh.folder / "register.yaml").write_text(yaml.safe_dump({"claims": claims}))
    fresh.config["claims"] = "register.yaml"
    return fresh


def test_the_cheap_study_is_done_before_the_dear_one_is_trained(two_studies):
    """On one core, in Snakemake's own order; the run is stopped in the midst of the dear one's pack, the page
    so far says so, and the next run makes the whole one."""
    workflow = two_studies
    results = workflow.folder / "results"
    workflow.after_two_cells(
        "if cells[0]['data']['source'] == 'digits': Path('held').touch(); wait_for('go')"
    )
    process = workflow.start("--cores", "1")
    wait_for((workflow.folder / "held").exists, process)
    verdicts = json.loads((results / "cheap/claims.json").read_text(encoding="utf-8"))
    assert [one["id"] for one in verdicts] == ["cheap-1", "cheap-2"]
    page = (results / "report.html").read_text(encoding="utf-8")
    assert OPEN in page
    assert "1 of 2 studies" in page
    assert "<code>dear</code>" in page
    assert 'id="claim-cheap-1"' in page
    os.killpg(process.pid, signal.SIGINT)
    assert workflow.finish(process).code != 0
    assert (results / "report.html").read_text(encoding="utf-8") == page

    workflow.without_traps()
    workflow.run("--until", "describe_study").succeeded()
    page = (results / "report.html").read_text(encoding="utf-8")
    assert OPEN in page, "of both studies, and still not the whole one"
    run = workflow.run().succeeded()
    assert run.jobs["write_report"] == 1
    assert run.trained == 0
    page = (results / "report.html").read_text(encoding="utf-8")
    assert OPEN not in page
    assert 'id="study-dear"' in page
    assert "Nothing to be done" in workflow.run().succeeded().output
