"""The report as text."""

import dataclasses
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import xarray as xr
from tests.browser.sample import CLAIMS, FACTS, LINKS, claim
from tests.unit.worlds import CLAIMED

from minima.findings.claims import judge
from minima.findings.pages import cite
from minima.findings.report import StudySection, ToCome, render, write_report
from minima.findings.sections import NearestMap, Place
from minima.findings.significance import corrected
from minima.findings.words import interval, minus, number

ROOT = Path(__file__).parents[2]
VOID = {"meta", "link", "input", "img", "br", "hr"}


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
            for study in ("init_size", "adaptive", "linear_nets", "bad_minima", "momentum", "networks")
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
    numbers = {"interval": "t", "n": 1, "estimate": 1, "low": 0, "high": 2}
    control = texts | numbers | {"outcome": "fails"}
    texts |= {
        "parts": [texts | control | {"label": evil, "verdict": "refuted", "source": evil}] * 2,
        "label": evil,
        "unit": evil,
        "paper": evil,
        "figures": [evil],
    }
    figure = dataclasses.replace(sections[0].figures[0], caption=evil, script=evil, svg=evil, table=evil)
    place = Place(evil, evil, 1, 1, evil, 0.1)
    section = StudySection(
        "study", evil, evil, evil, [(evil, evil)], [figure], [NearestMap(evil, [(evil, 1)], [place])]
    )
    nasty = claim("a", evil, evil, "refuted") | texts | {"control": control}
    html = render([nasty], [section], {evil: evil, "b": "<b>"}, {evil: evil})
    assert "<script>alert" not in html
    assert html.count("<script>") == 1
    assert not any("<" in value for value in Page(html).ids)


def test_the_judge_and_the_register_give_what_the_page_shows() -> None:
    register = CLAIMED
    trees = dict.fromkeys((claim.study for claim in register), xr.DataTree())  # nothing was trained
    html = render(corrected([judge(claim, trees[claim.study]) for claim in register]), [], {}, {})
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
    assert "scale , 30 networks: linearized 90 %, none 7 %, diverged 3 %" in text
    assert "width 64, scale 1: linearized , 9 of 10 seeds, distance 0.0400" in text
    assert "width 64, scale 3: none , 10 of 10 seeds, ntk at distance 0.310" in text
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


def test_a_page_so_far_says_what_is_missing(sections: list[StudySection]) -> None:
    """Its verdicts are not corrected, and it names the studies to come and their share of the training."""
    bare = [{key: value for key, value in one.items() if key != "p_holm"} for one in CLAIMS]
    page = render(bare, sections[:2], {}, {}, ToCome(["momentum", "bad_minima"], 0.31))
    text = " ".join(re.sub(r"<[^>]*>", " ", page).replace("&nbsp;", " ").split())
    assert "This page is not complete. 2 of 4 studies are there; still to come" in text
    assert "momentum , bad_minima , 31 % of the training" in text
    assert "p &lt;" not in page
    assert "p = " not in text
    assert page.count("to come") > len(CLAIMS)
    Page(page)
    assert "not complete" not in render(CLAIMS, sections[:2], {}, {})


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
