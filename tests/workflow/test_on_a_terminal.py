"""What a person sees of a run: one screen on a terminal, lines elsewhere, and Snakemake's words where they
are asked for."""

import re

import pytest
from harness import DATASET, SNAKEMAKE, Workflow
from terminal import COLUMNS, Recording

AGAIN = (DATASET, "--forcerun", "aggregate_study")
RULE = "rule aggregate_study:"
SCREEN = "workflow_scripts/minima/console/screen.py"


def on_a_terminal(workflow: Workflow, *arguments: str) -> Recording:
    recording = Recording([SNAKEMAKE, "--cores", "1", *arguments], workflow.folder)
    for seconds in recording.follow():
        if seconds > 600:
            recording.kill()
    return recording


def test_where_no_terminal_is_there_are_lines(workflow: Workflow):
    """No control characters, what will be done, what came of it; ten lines of each job are in the log."""
    run = workflow.run("results/report.html", *AGAIN[1:]).succeeded()
    assert all(character.isprintable() or character == "\n" for character in run.output)
    assert re.search(r"^Minima: 1 study|^Minima: \d steps; about \d+ s", run.output, re.MULTILINE)
    assert re.search(r"^Done in \d+ s\.$", run.output, re.MULTILINE)
    assert run.output.rstrip().endswith("results/report.html")
    assert RULE not in run.output
    assert run.jobs["aggregate_study"] == 1
    assert len(run.output.splitlines()) < 10


@pytest.mark.parametrize(
    ("option", "theirs"),
    [("--verbose", True), ("--dry-run", True), ("--quiet", False), ("--quiet=all", False)],
)
def test_the_options_of_snakemakes_console_mean_what_they_mean(workflow: Workflow, option: str, theirs: bool):
    run = workflow.run(*AGAIN, option).succeeded()
    assert "Minima:" not in run.output
    assert (RULE in run.output) is theirs


def test_a_failure_is_told_whole_on_a_terminal(workflow: Workflow):
    """What the job and Snakemake say of it stands there unbroken, above what came of the run; no line that
    was drawn is as wide as the terminal."""
    for path in workflow.folder.glob("results/store/*/*.nc"):
        path.unlink()
    workflow.after_two_cells("raise RuntimeError('the injected fault ' + 'and its long story ' * 9)")
    workflow.run("--dry-run", "--quiet")  # writes the config
    recording = on_a_terminal(workflow, DATASET, "--forcerun", "train_pack")
    assert recording.process.returncode == 1
    drawn = re.findall(r"([^\n\r\x1b]*)\x1b\[K", recording.text.split("Stopped after")[0])
    assert any("gone, about" in line for line in drawn)
    assert any("of question main" in line for line in drawn)
    assert all(len(line) < COLUMNS for line in drawn)
    shown = recording.screen.all()
    joined = "".join(line.ljust(COLUMNS) if len(line) < COLUMNS else line for line in shown.splitlines())
    assert "RuntimeError: the injected fault " + "and its long story " * 8 in joined
    assert "The whole log: results/logs/train_pack/" in shown
    assert "Error in rule train_pack:" in shown
    assert "Stopped after" in shown
    assert "gone, about" not in shown


def test_no_run_fails_for_how_it_is_shown(workflow: Workflow):
    """A console that cannot draw says so, and Snakemake's own takes over."""
    workflow.append(SCREEN, "\n\ndef header(*_):\n    raise RuntimeError('a torn canvas')\n")
    run = workflow.run(*AGAIN).succeeded()
    assert "a torn canvas" in run.output
    assert RULE in run.output


def test_the_plan_is_printed_alone(workflow: Workflow):
    run = workflow.run("plan").succeeded()
    first, *_ = [line for line in run.output.splitlines() if not line.startswith("Using workflow specific")]
    assert first.startswith("study ")
