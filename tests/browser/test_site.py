"""The documentation as a reader meets it, opened from the disk and without a network."""

from pathlib import Path
from typing import Any

import pytest

SITE = Path(__file__).parents[2] / "site"
STUDY = "workflow_scripts/studies/momentum/page.html"
PAGES = (
    "index.html",
    STUDY,
    "docs/verdicts.html",
    "rules.html",
    "api/minima.which.html",
    "config/index.html",
)
PHONE = 400  # pixels
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not (SITE / "index.html").exists(), reason="the site is not built: make docs"),
]


def opened(browser: Any, page: str, width: int = 1280) -> Any:
    found = browser.new_page(viewport={"width": width, "height": 900})
    found.set_default_timeout(120_000)  # a machine may be busy
    found.goto((SITE / page).as_uri())
    return found


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("width", [PHONE, 1280])
def test_a_page_fits_its_window_and_its_pictures_show(browser, page, width):
    errors, fetched = [], []
    shown = browser.new_page(viewport={"width": width, "height": 900})
    shown.on("pageerror", lambda error: errors.append(str(error)))
    shown.on("request", lambda request: fetched.append(request.url))
    shown.goto((SITE / page).as_uri())
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    assert shown.evaluate("[...document.images].filter(i => i.complete && !i.naturalWidth).length") == 0
    assert errors == []
    assert [url for url in fetched if not url.startswith(("file:", "data:", "blob:", "about:"))] == []


def test_a_study_shows_formulas_and_no_tex(browser):
    page = opened(browser, STUDY)
    formulas = page.locator("math")
    assert formulas.count() > 20
    assert all(box["width"] > 0 for box in (formulas.nth(i).bounding_box() for i in range(5)))
    assert "\\frac" not in page.locator("article").inner_text()


def test_a_drawing_is_words_where_there_is_no_network(browser):
    """What draws it is fetched; its lines say the same."""
    shown = browser.new_page(viewport={"width": PHONE, "height": 900}, offline=True)
    shown.goto((SITE / "docs/architecture.html").as_uri())
    drawing = shown.locator("pre", has_text="plan --> store").first
    assert drawing.is_visible()
    assert "plan --> data" in drawing.inner_text()
    assert shown.evaluate("document.documentElement.scrollWidth") <= PHONE


def test_the_gallery_shows_its_figures(browser):
    page = opened(browser, "docs/gallery.html")
    pictures = page.locator("article img")
    assert pictures.count() > 20
    pictures.last.scroll_into_view_if_needed()
    assert pictures.last.evaluate("picture => picture.decode().then(() => picture.naturalWidth)") > 0


def test_the_search_finds_a_page(browser):
    page = opened(browser, "index.html")
    page.locator("iframe").wait_for(state="attached")  # the search is there
    page.locator("input.md-search__input").click()
    page.keyboard.type("troubleshooting")
    found = page.locator(".md-search-result__item a").first
    found.wait_for()
    assert "troubleshooting" in found.get_attribute("href")


def test_the_front_page_leads_to_each_study(browser):
    page = opened(browser, "index.html")
    page.locator(".md-tabs").get_by_text("Studies").click()
    page.wait_for_url("**/page.html")
    assert page.locator("h1").count() == 1
