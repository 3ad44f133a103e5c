"""One SLURM for all cluster tests, and a workflow whose data are prepared."""

import copy
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster.campaign import CONFIG, Campaign
from tests.cluster.slurm import Slurm, missing, slurm_in


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.cluster)
            item.add_marker(pytest.mark.workflow)


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    if absent := missing():
        pytest.skip(f"SLURM is not installed here: no {', '.join(absent)}")
    pytest.importorskip("snakemake_executor_plugin_slurm")
    with slurm_in(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """Data prepared, nothing trained; no test may change it."""
    campaign = Campaign.fresh(tmp_path_factory.mktemp("prepared") / "minima")
    campaign.config = copy.deepcopy(CONFIG)
    campaign.run("--until", "prepare_data").succeeded()
    return campaign


@pytest.fixture
def campaign(slurm: Slurm, prepared: Campaign, tmp_path: Path) -> Campaign:
    """A copy of the prepared workflow, to be run on the cluster."""
    copied = prepared.copied_to(tmp_path / "minima")
    copied.slurm = slurm
    return copied


@pytest.fixture(scope="session")
def undisturbed(prepared: Campaign, tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """The same cells, trained on this machine without SLURM."""
    campaign = prepared.copied_to(tmp_path_factory.mktemp("undisturbed") / "minima")
    campaign.run("results/question/dataset.nc").succeeded()
    return campaign
