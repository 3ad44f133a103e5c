"""A browser, and the sample report, as text and in parts."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from tests.browser.sample import CLAIMS, FACTS, LINKS, studies

from minima.findings.report import StudySection, render

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no chromium on PATH")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def sections(tmp_path_factory: pytest.TempPathFactory) -> list[StudySection]:
    return studies(tmp_path_factory.mktemp("figures"))


@pytest.fixture(scope="module")
def html(sections: list[StudySection]) -> str:
    return render(CLAIMS, sections, FACTS, LINKS)
