"""What a user sees who makes a mistake: the path, what is wrong and the mend, and no Python traceback.

The messages themselves are in `tests/unit/plan/test_mistakes.py`; here they come through snakemake.
"""

import pytest
from harness import DATASET


def refused(run, *messages):
    """Nothing was started, and the user was told why."""
    assert run.code != 0
    assert "Traceback" not in run.output
    assert not run.jobs
    for message in messages:
        assert message in run.output


def test_all_mistakes_of_a_config_are_told_at_once(fresh):
    fresh.main["init"] = {"scael": 2}
    fresh.main["axes"]["network.width"] = [8, -8]
    fresh.config["data"]["table"]["train_size"] = 0
    fresh.config["run"] = ["qestion"]
    refused(
        fresh.run(),
        "The config has 4 mistakes",
        "studies.question.blocks.main.init.scael: 'scael' is not an option (did you mean 'scale'?)",
        "studies.question.blocks.main.axes.network.width: should be greater than or equal to 1, not -8",
        "data.table.train_size: should be greater than or equal to 1, not 0",
        "run: 'qestion' is no study (did you mean 'question'?)",
    )
    assert not (fresh.folder / "results").exists()


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("rsults=elsewhere", "rsults: 'rsults' is not an option (did you mean 'results'?)"),
        ("run=[qestion]", "run: 'qestion' is no study (did you mean 'question'?)"),
    ],
)
def test_a_typo_on_the_command_line(fresh, argument, message):
    refused(fresh.run("--config", argument), message)


@pytest.mark.parametrize(
    ("text", "message"),
    [("studies: {question: [", "not valid JSON or YAML"), ("- a list", "with keys at top level")],
)
def test_a_config_that_is_no_yaml_or_no_mapping(fresh, text, message):
    """Snakemake's own words: it reads the file before any of our code."""
    (fresh.folder / "broken.yaml").write_text(text, encoding="utf-8")
    refused(fresh.run("--configfile", "broken.yaml"), message)


def test_a_file_in_the_place_of_the_results_folder(fresh):
    (fresh.folder / "elsewhere").write_text("a file", encoding="utf-8")
    run = fresh.run("--config", "results=elsewhere")
    refused(run, "results: the folder", "elsewhere cannot be written")


def test_a_missing_data_file_is_named_before_any_job(fresh):
    (fresh.folder / "table.npz").unlink()
    refused(fresh.run(), "Missing input files", "table.npz")


def test_a_damaged_data_file_is_named_and_nothing_is_trained_on_it(fresh):
    (fresh.folder / "table.npz").write_bytes(b"no archive")
    fresh.config["studies"]["question"]["blocks"].pop("main")
    run = fresh.run()
    assert run.code == 1
    assert run.trained == 0
    assert "table.npz" in run.output
    assert "The whole log: results/logs/prepare_data/" in run.output


def test_damaged_prepared_data_is_named_with_the_mend_and_the_mend_helps(workflow):
    (prepared,) = (workflow.folder / "results/data").glob("file_*.nc")
    (pack,) = (workflow.folder / "results/packs").glob("file_*.nc")
    prepared.write_bytes(prepared.read_bytes()[:1000])
    pack.unlink()
    (workflow.folder / DATASET).unlink()
    run = workflow.run(DATASET)
    assert run.code == 1
    assert f"{prepared.relative_to(workflow.folder)} is damaged" in run.output
    assert "delete it and prepare it again" in run.output
    prepared.unlink()
    assert workflow.run(DATASET).succeeded().trained == 0
