"""The report as a reader meets it in a browser."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.browser.sample import CLAIMS
from tests.unit.side_by_side import TITLES, not_asked
from tests.unit.side_by_side import claim as made_up

from minima.findings.replications import write_comparison
from minima.findings.report import (
    StudySection,
    write_report,
)

ROOT = Path(__file__).parents[2]
# Contrast (WCAG 2) of every element that shows text of its own against what is painted behind it.
CONTRASTS = """() => {
  const parse = colour => colour.match(/[\\d.]+/g).map(Number);
  const luminance = rgb => rgb.slice(0, 3).map(c => c / 255)
    .map(c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const behind = element => {
    const colour = parse(getComputedStyle(element).backgroundColor);
    return colour.length === 3 || colour[3] === 1 ? colour : behind(element.parentElement);
  };
  const owns = element => [...element.childNodes].some(n => n.nodeType === 3 && n.data.trim());
  return [...document.body.querySelectorAll("*")]
    .filter(e => owns(e) && e.checkVisibility())
    .map(e => {
      const [a, b] = [parse(getComputedStyle(e).color), behind(e)].map(luminance);
      return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), e.textContent.trim().slice(0, 40)];
    });
}"""


@pytest.fixture(scope="module")
def address(html: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_report(path, html)
    return path.as_uri()


@pytest.fixture
def page(browser: Any, address: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The opened report; options of the window come by indirect parameters. No test may log or load."""
    page = browser.new_page(**getattr(request, "param", {}))
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    yield page
    page.close()
    assert said == []
    assert asked == [address]


def shown(page: Any) -> list[str]:
    return page.locator("#claims tbody tr:visible td.id b").all_inner_texts()


@pytest.mark.browser
def test_columns_sort_and_unknowns_come_last(page: Any) -> None:
    head = page.get_by_role("columnheader", name="Estimate")
    known = sorted((c for c in CLAIMS if c["estimate"] is not None), key=lambda c: c["estimate"])
    up, down = ([c["id"] for c in order] + ["lin-10", "bad-2"] for order in (known, reversed(known)))
    head.get_by_role("button").click()
    assert (shown(page), head.get_attribute("aria-sort")) == (up, "ascending")
    head.get_by_role("button").press("Enter")
    assert (shown(page), head.get_attribute("aria-sort")) == (down, "descending")
    page.get_by_role("button", name="Claim", exact=True).press("Space")
    assert head.get_attribute("aria-sort") == "none"
    naturally = ["adapt-1", "adapt-3", "bad-1", "bad-2", "init-1", "init-2", "init-10", "lin-7", "lin-10"]
    assert shown(page) == naturally
    page.get_by_role("button", name="Verdict").click()
    assert shown(page)[-2:] == ["init-10", "bad-2"]


@pytest.mark.browser
def test_filters_combine(page: Any) -> None:
    status, search = page.get_by_role("status"), page.get_by_role("searchbox")
    everything = [c["id"] for c in CLAIMS]
    assert shown(page) == everything
    page.get_by_role("checkbox", name="not asked").check()
    assert shown(page) == ["bad-2"]
    page.get_by_role("checkbox", name="not asked").uncheck()
    page.get_by_role("checkbox", name="inconclusive").press("Space")
    assert shown(page) == ["adapt-1", "lin-10"]
    page.get_by_role("checkbox", name="refuted").check()
    assert shown(page) == ["init-10", "adapt-1", "lin-10"]
    search.fill("minimizer ADAGRAD")
    assert shown(page) == ["adapt-1"]
    assert status.inner_text() == "1 of 9 shown"
    page.get_by_role("combobox").select_option("linear_nets")
    assert shown(page) == []
    assert status.inner_text() == "No claim matches."
    page.get_by_role("button", name="Show all").click()
    status.filter(has_text="9 of 9 shown").wait_for()
    assert shown(page) == everything
    search.fill("-0.503")  # typed with a hyphen, shown with a minus
    search.press("Enter")
    assert shown(page) == ["lin-7"]


@pytest.mark.browser
def test_links_jump_between_claims_and_figures(page: Any) -> None:
    figure = page.locator("#figure-adaptive-adagrad_distance")
    page.locator("#claim-adapt-1").get_by_role("link", name="adagrad_distance").click()
    assert figure.evaluate("element => element === document.querySelector(':target')")
    assert figure.bounding_box()["y"] == pytest.approx(0, abs=2)
    page.get_by_role("checkbox", name="refuted").check()
    figure.get_by_role("link", name="adapt-3").click()  # filtered away: all are shown again
    assert page.locator("#claim-adapt-3").bounding_box()["y"] == pytest.approx(0, abs=2)
    assert len(shown(page)) == len(CLAIMS)


@pytest.mark.browser
@pytest.mark.parametrize(
    "page",
    [{"viewport": {"width": width, "height": 800}} for width in (320, 400, 700, 1030, 1600)],
    indirect=True,
)
def test_nothing_scrolls_sideways(page: Any) -> None:
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")


@pytest.mark.browser
def test_every_study_has_its_section(page: Any, sections: list[StudySection]) -> None:
    """Reached from the top, with a figure for each that the claims name, its data and its dataset."""
    assert {section.name for section in sections} >= {claim["study"] for claim in CLAIMS}
    for section in sections:
        page.get_by_role("navigation").get_by_role("link", name=section.name, exact=True).click()
        region = page.get_by_role("region", name=section.title)
        assert region.bounding_box()["y"] == pytest.approx(0, abs=60)  # above it a margin
        assert region.get_by_role("figure").count() == len(section.figures)
        assert region.get_by_role("link", name="Data (CSV)").count() == len(section.figures)
        assert region.get_by_role("link", name="Dataset").get_attribute("href") == section.dataset


@pytest.mark.browser
@pytest.mark.parametrize(
    "page",
    [
        {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
        {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
        {"viewport": {"width": 390, "height": 844}, "color_scheme": "light"},
    ],
    indirect=True,
    ids=["desktop", "dark", "phone"],
)
def test_screenshots_are_kept(page: Any, request: pytest.FixtureRequest) -> None:
    """In $MINIMA_SCREENSHOTS, else results/screenshots: for eyes, and for CI to keep."""
    folder = Path(os.environ.get("MINIMA_SCREENSHOTS", ROOT / "results" / "screenshots"))
    path = folder / f"report-{request.node.callspec.id}.png"
    page.screenshot(path=path, full_page=True)
    assert path.stat().st_size > 10_000


@pytest.mark.browser
@pytest.mark.parametrize("page", [{"color_scheme": "light"}, {"color_scheme": "dark"}], indirect=True)
def test_text_stands_out(page: Any) -> None:
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 100
    assert min(contrasts)[0] >= 4.5, min(contrasts)
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(20, 23, 26)") == dark
    white = "[...document.images].every(i => getComputedStyle(i).backgroundColor === 'rgb(255, 255, 255)')"
    assert page.evaluate(white)


@pytest.mark.browser
def test_the_page_of_other_data_opens_and_fits_a_phone(browser: Any, tmp_path: Path) -> None:
    """Its table scrolls within itself on a wide screen, and is a card per claim on a phone."""
    files = {}
    for name, title in TITLES.items():
        found = [made_up(f"toy-{i}", "refuted" if name == "third" else "supported") for i in range(3)]
        files[name] = title, tmp_path / name / "claims.json"
        files[name][1].parent.mkdir()
        files[name][1].write_text(json.dumps([not_asked("toy-0"), *found[1:]] if name == "second" else found))
    written = {suffix: tmp_path / f"replications.{suffix}" for suffix in ("json", "md", "html")}
    write_comparison(files, *written.values(), tmp_path / "forests")
    page = browser.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(written["html"].as_uri())
    for width in (1280, 400):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        reach = page.locator("#claim-toy-1 .reach").inner_text()
        assert reach == "holds on 3 of 4; fails on wine"
        assert page.locator("#claim-toy-0 .on").nth(1).inner_text().split() == ["not", "asked1"]
    page.locator("#claim-toy-0 sup a").click()
    assert page.locator("li:target").inner_text() == "not asked: no images"
    assert min(page.evaluate(CONTRASTS))[0] >= 4.5
    page.close()
    assert said == []


@pytest.mark.browser
def test_table_reads_as_a_table_also_as_cards(page: Any) -> None:
    for width in (1280, 400):
        page.set_viewport_size({"width": width, "height": 800})
        table = page.get_by_role("table", name="Verdicts")
        assert table.get_by_role("columnheader").count() == 8
        assert table.get_by_role("row").count() == len(CLAIMS) + 1
        assert table.get_by_role("cell").count() == 8 * len(CLAIMS)
    assert page.get_by_role("main").count() == page.get_by_role("navigation").count() == 1


@pytest.mark.browser
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
@pytest.mark.parametrize("width", [1200, 400])
def test_a_place_of_a_map_opens_its_networks(browser: Any, address: str, width: int, scripts: bool) -> None:
    """By a link alone, on a phone too; the page is no wider for it, and it closes again."""
    page = browser.new_page(viewport={"width": width, "height": 800}, java_script_enabled=scripts)
    page.goto(address)
    opened = page.locator("#map-init_size-scale-1")
    assert not opened.is_visible()
    page.locator(".grid").first.get_by_role("link").first.click()
    assert opened.is_visible()
    assert opened.locator("svg path").count() == 10
    assert "snakemake --cores 1 results/again/" in opened.locator("code").first.inner_text()
    assert opened.bounding_box()["width"] <= width
    opened.get_by_role("link", name="Close").click()
    assert not opened.is_visible()
    page.close()
