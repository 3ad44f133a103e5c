"""A job's log has everything; the console has what a person needs to find it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import minima

PREAMBLE = """
import logging, os, signal, sys, warnings
from minima.jobs.logs import job_log

def deep(levels):
    if levels:
        deep(levels - 1) if levels % 2 else deep_too(levels)
    raise ValueError("scale σ is impossible")

def deep_too(levels):
    deep(levels - 1)

"""


def run(path, body):
    """A process of its own, as a job is: the log changes the logging and the signals of a whole process."""
    script = f"{PREAMBLE}with job_log(sys.argv[1]):\n    {body}\n"
    environment = os.environ | {"PYTHONPATH": str(Path(minima.__file__).parents[1]), "PYTHONUTF8": "1"}
    command = [sys.executable, "-c", script, str(path)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def test_a_failure_is_logged_whole_and_told_briefly(tmp_path):
    """The log has the whole traceback, the console its last lines and the log's path, the exit code is 1."""
    log = tmp_path / "logs" / "job.log"
    done = run(log, "logging.getLogger('minima').info('begun'); deep(12)")
    assert done.returncode == 1
    text = log.read_text(encoding="utf-8")
    assert "INFO begun" in text
    assert "Traceback (most recent call last)" in text
    assert text.count("in deep") == 13 + 6
    assert text.rstrip().endswith("ValueError: scale σ is impossible")
    console = done.stderr.splitlines()
    assert len(console) == 9
    assert console[-2] == "ValueError: scale σ is impossible"
    assert console[-1] == f"The whole log: {log}"
    assert console[:-1] == text.splitlines()[-8:]
    assert done.stdout == ""


def test_a_short_failure_is_told_whole(tmp_path):
    """A cause is told with its consequence where both fit."""
    done = run(tmp_path / "job.log", "raise SystemError('no data')")
    assert done.stderr.startswith("Traceback (most recent call last)")
    assert "SystemError: no data" in done.stderr


def test_a_job_that_succeeds_says_nothing_on_the_console(tmp_path):
    """Messages and warnings go to the log alone."""
    log = tmp_path / "job.log"
    done = run(log, "logging.getLogger('minima').info('trained 3 cells'); warnings.warn('a small kernel')")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    text = log.read_text(encoding="utf-8")
    assert "INFO trained 3 cells" in text
    assert "a small kernel" in text


def test_a_retry_starts_a_new_log(tmp_path):
    """What an earlier attempt said is not mistaken for this one's words."""
    log = tmp_path / "job.log"
    run(log, "raise ValueError('first attempt')")
    run(log, "logging.getLogger('minima').info('second attempt')")
    assert "first attempt" not in log.read_text(encoding="utf-8")


@pytest.mark.skipif(os.name == "nt", reason="no SIGTERM")
def test_a_time_limit_ends_the_body_like_an_exception(tmp_path):
    """SIGTERM lets the body clean up, so that finished cells are written, and the exit code says why."""
    log = tmp_path / "job.log"
    body = """
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()
    finally:
        logging.getLogger('minima').info('wrote 2 cells')
"""
    done = run(log, body)
    assert done.returncode == 128 + signal.SIGTERM
    assert "wrote 2 cells" in log.read_text(encoding="utf-8")
