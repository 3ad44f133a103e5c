"""The sample report, as text and in parts."""

import pytest
from tests.browser.sample import CLAIMS, FACTS, LINKS, studies

from minima.findings.report import StudySection, render


@pytest.fixture(scope="module")
def sections(tmp_path_factory: pytest.TempPathFactory) -> list[StudySection]:
    return studies(tmp_path_factory.mktemp("figures"))


@pytest.fixture(scope="module")
def html(sections: list[StudySection]) -> str:
    return render(CLAIMS, sections, FACTS, LINKS)
