"""Runs of the real workflow that the tests share."""

import fcntl
import os
from pathlib import Path

import pytest
from harness import Workflow


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.workflow)


@pytest.fixture(scope="session")
def completed(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """A finished run that every test may look at and none may change: one for all processes of a session."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    with (shared / "completed.txt").open("a+", encoding="utf-8") as place:
        fcntl.flock(place, fcntl.LOCK_EX)  # whoever comes second waits for the run
        place.seek(0)
        if folder := place.read():
            return Workflow(Path(folder))
        workflow = Workflow.fresh(tmp_path_factory.mktemp("completed"))
        run = workflow.run().succeeded()
        assert run.trained == 22
        place.write(str(workflow.folder))
    return workflow


@pytest.fixture
def workflow(completed: Workflow, tmp_path: Path) -> Workflow:
    """A copy of the finished run."""
    return completed.copied_to(tmp_path / "minima")


@pytest.fixture
def fresh(tmp_path: Path) -> Workflow:
    """A copy of the repository in which nothing has run."""
    return Workflow.fresh(tmp_path / "minima")
