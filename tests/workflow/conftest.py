"""Runs of the real workflow that the tests share."""

from pathlib import Path

import pytest
from harness import Workflow


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.workflow)


@pytest.fixture(scope="session")
def completed(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """A finished run that every test may look at and none may change."""
    workflow = Workflow.fresh(tmp_path_factory.mktemp("completed"))
    run = workflow.run().succeeded()
    assert run.trained == 22
    return workflow


@pytest.fixture
def workflow(completed: Workflow, tmp_path: Path) -> Workflow:
    """A copy of the finished run."""
    return completed.copied_to(tmp_path / "minima")


@pytest.fixture
def fresh(tmp_path: Path) -> Workflow:
    """A copy of the repository in which nothing has run."""
    return Workflow.fresh(tmp_path / "minima")
