"""The report as text, and as a reader meets it in a browser."""

import dataclasses
import os
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import xarray as xr
import yaml
from tests.browser.sample import CLAIMS, FACTS, LINKS, claim, studies

from minima.findings.claims import judge
from minima.findings.report import (
    NearestMap,
    Place,
    StudySection,
    cite,
    interval,
    minus,
    number,
    render,
    write_report,
)
from minima.plan.register import read_register

ROOT = Path(__file__).parents[2]
VOID = {"meta", "link", "input", "img", "br", "hr"}
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
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


class Page(HTMLParser):
    """Tags must close in order; collects ids and what the page refers to."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.references += [
            value or "" for name, value in attrs if name in ("href", "src", "srcset", "action")
        ]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, self.getpos()


@pytest.fixture(scope="module")
def sections(tmp_path_factory: pytest.TempPathFactory) -> list[StudySection]:
    return studies(tmp_path_factory.mktemp("figures"))


@pytest.fixture(scope="module")
def html(sections: list[StudySection]) -> str:
    return render(CLAIMS, sections, FACTS, LINKS)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-0.48172, "−0.482"),
        (0.5, "0.500"),
        (20.62, "20.6"),
        (0.9999, "1.00"),
        (12345.0, "12300"),
        (3, "3.00"),
        (-2.371e-7, "−2.37\u00a0×\u00a010⁻⁷"),
        (1.5e12, "1.50\u00a0×\u00a010¹²"),
        (-0.0, "0"),
        (None, "–"),
        (float("nan"), "–"),
        (float("-inf"), "−∞"),
    ],
)
def test_numbers_have_three_digits(value: float | None, text: str) -> None:
    assert number(value) == text


def test_intervals_are_shown_where_an_end_is_known() -> None:
    assert interval({"low": -1.0, "high": 1.0}) == "[−1.00, 1.00]"
    assert interval({"low": None, "high": 1.0}) == "[–, 1.00]"
    assert interval({"low": None, "high": float("nan")}) == ""


def test_hyphens_before_numbers_become_minuses() -> None:
    assert minus("in [-0.65, -.3], ≥ -1e-06, log-log") == "in [−0.65, −.3], ≥ −1e-06, log-log"


def test_citations_link_to_arxiv_and_are_escaped() -> None:
    assert cite("A <b> & arXiv:2011.02408.") == (
        'A &lt;b&gt; &amp; <a href="https://arxiv.org/abs/2011.02408">arXiv:2011.02408</a>.'
    )
    assert cite("2105.06351") == '<a href="https://arxiv.org/abs/2105.06351">arXiv:2105.06351</a>'
    assert cite("") == cite(" ").strip() == ""


def test_page_is_well_formed_and_its_links_lead_somewhere(html: str) -> None:
    page = Page(html)
    assert len(page.ids) == len(set(page.ids))
    assert {r[1:] for r in page.references if r.startswith("#")} <= set(page.ids)


def test_page_is_self_contained_and_small(html: str) -> None:
    others = [r for r in Page(html).references if not r.startswith(("#", "data:"))]
    links = [r for r in others if not r.startswith("https://arxiv.org/abs/")]
    drawn = {(c["study"], f) for c in CLAIMS for f in c["figures"] if f != "left_out"}
    assert set(links) == {
        "runtimes.md",
        "provenance.json",
        *LINKS.values(),
        *(
            f"{study}/dataset.nc"
            for study in ("init_size", "adaptive", "linear_nets", "bad_minima", "momentum")
        ),
        *(f"../workflow_scripts/minima/findings/figures/{figure}.py" for _, figure in drawn),
        *(f"{study}/figures/{figure}.{kind}" for study, figure in drawn for kind in ("svg", "csv")),
    }
    assert not re.search(r"@import|url\(|fetch\(|<script src", html)
    assert html.count("data:image/png;base64,") == 6
    assert len(html) < 1e6


def test_same_values_give_the_same_page(html: str, sections: list[StudySection]) -> None:
    assert render(CLAIMS, sections, FACTS, LINKS) == html


def test_everything_is_escaped(sections: list[StudySection]) -> None:
    evil = "<script>alert('x')</script>\"'&"
    texts = dict.fromkeys(["statement", "region", "reason"], evil)
    control = texts | {"outcome": "fails", "n": 1, "estimate": 1, "low": 0, "high": 2}
    texts |= {
        "parts": [texts | control | {"label": evil, "verdict": "refuted"}] * 2,
        "estimand": evil,
        "unit": evil,
        "paper": evil,
        "figures": [evil],
    }
    figure = dataclasses.replace(sections[0].figures[0], caption=evil, script=evil, svg=evil, table=evil)
    place = Place(evil, evil, 1, 1, 0.1)
    section = StudySection(
        "study", evil, evil, evil, [(evil, evil)], [figure], [NearestMap(evil, [(evil, 1)], [place])]
    )
    nasty = claim("a", evil, evil, "refuted") | texts | {"control": control}
    html = render([nasty], [section], {evil: evil, "b": "<b>"}, {evil: evil})
    assert "<script>alert" not in html
    assert html.count("<script>") == 1
    assert not any("<" in value for value in Page(html).ids)


def test_the_judge_and_the_register_give_what_the_page_shows() -> None:
    register = read_register(ROOT / "config" / "claims.yaml")
    html = render([judge(claim, xr.DataTree()) for claim in register], [], {}, {})  # nothing was trained
    assert set(Page(html).ids) >= {f"claim-{claim.id}" for claim in register}
    assert f"{len(register)} claims were tested" in html


def test_claims_lead_to_figure_data_and_code(html: str) -> None:
    """Of each claim, in its own row; code where the run has it."""
    row = html.split('<tr id="claim-init-1"')[1].split("</tr>")[0]
    links = Page(f"<table><tr {row}</tr></table>").references
    assert [link for link in links if link not in ("#supported", "#holds")] == [
        "https://arxiv.org/abs/2011.02408",
        "#figure-init_size-distance_vs_width",
        "init_size/dataset.nc",
        LINKS["init_size"],
    ]


def test_the_nearest_minimizers_are_mapped(html: str) -> None:
    found = html.split('<section id="nearest"')[1].split("</section>")[0]
    text = " ".join(re.sub(r"<[^>]*>", " ", found).replace("&nbsp;", " ").split())
    assert "scale , 30 networks: linearized 90 %, ntk 7 %, diverged 3 %" in text
    assert "width 64, scale 1: linearized , 9 of 10 seeds, distance 0.310" in text
    assert "width 256, scale 3: diverged , 1 network" in text


def test_the_published_number_stands_where_the_paper_gives_one(html: str) -> None:
    assert html.count("Published:") == 1
    assert "Published: h^(−½); 0.78 at h = 500" in html


def test_empty_lists_say_so() -> None:
    page = render([], [], {}, {})
    assert "No claims are registered for these studies." in page
    assert "<script>" not in page
    Page(page)
    one = render([CLAIMS[0]], [StudySection("init_size", "", "", "", [], [], [])], {}, {})
    assert "1 claim was tested" in one
    assert "No figures are drawn for this study." in one
    assert 'href="#figure' not in one


def test_a_picture_that_is_none_is_an_error_that_names_it(
    tmp_path: Path, sections: list[StudySection]
) -> None:
    (tmp_path / "torn.png").write_bytes(b"\x89PNG")
    figure = dataclasses.replace(sections[0].figures[0], png=tmp_path / "torn.png")
    with pytest.raises(ValueError, match=r"torn\.png: not a PNG picture"):
        render([], [dataclasses.replace(sections[0], figures=[figure])], {}, {})


def test_report_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "results" / "report.html"
    write_report(path, "first")
    write_report(path, "σ\n")
    assert path.read_bytes() == "σ\n".encode()
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]


# ---------------------------------------------------------------- in a browser


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
    up, down = ([c["id"] for c in order] + ["lin-10"] for order in (known, reversed(known)))
    head.get_by_role("button").click()
    assert (shown(page), head.get_attribute("aria-sort")) == (up, "ascending")
    head.get_by_role("button").press("Enter")
    assert (shown(page), head.get_attribute("aria-sort")) == (down, "descending")
    page.get_by_role("button", name="Claim", exact=True).press("Space")
    assert head.get_attribute("aria-sort") == "none"
    naturally = ["adapt-1", "adapt-3", "bad-1", "init-1", "init-2", "init-10", "lin-7", "lin-10"]
    assert shown(page) == naturally
    page.get_by_role("button", name="Verdict").click()
    assert shown(page)[-1] == "init-10"


@pytest.mark.browser
def test_filters_combine(page: Any) -> None:
    status, search = page.get_by_role("status"), page.get_by_role("searchbox")
    everything = [c["id"] for c in CLAIMS]
    assert shown(page) == everything
    page.get_by_role("checkbox", name="inconclusive").press("Space")
    assert shown(page) == ["adapt-1", "lin-10"]
    page.get_by_role("checkbox", name="refuted").check()
    assert shown(page) == ["init-10", "adapt-1", "lin-10"]
    search.fill("minimizer ADAGRAD")
    assert shown(page) == ["adapt-1"]
    assert status.inner_text() == "1 of 8 shown"
    page.get_by_role("combobox").select_option("linear_nets")
    assert shown(page) == []
    assert status.inner_text() == "No claim matches."
    page.get_by_role("button", name="Show all").click()
    status.filter(has_text="8 of 8 shown").wait_for()
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
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    assert {section.name for section in sections} == {*config["studies"]}
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
def test_table_reads_as_a_table_also_as_cards(page: Any) -> None:
    for width in (1280, 400):
        page.set_viewport_size({"width": width, "height": 800})
        table = page.get_by_role("table", name="Verdicts")
        assert table.get_by_role("columnheader").count() == 7
        assert table.get_by_role("row").count() == len(CLAIMS) + 1
        assert table.get_by_role("cell").count() == 7 * len(CLAIMS)
    assert page.get_by_role("main").count() == page.get_by_role("navigation").count() == 1
