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
from minima.findings.maps import POINTS, NearestMap, Network, Place, drawn, thinned
from minima.findings.pages import cite
from minima.findings.report import StudySection, ToCome, render, write_report
from minima.findings.significance import corrected
from minima.findings.words import interval, minus, number

ROOT = Path(__file__).parents[2]
BARE = [StudySection("init_size", "", "", "", [], [], [])]
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
    network = Network(evil, evil, evil, 1, evil, [0.1], [(0, 1.0), (1, 0.5)])
    place = Place(evil, evil, evil, evil, 1, 1, evil, 0.1, [network])
    section = StudySection(
        "study",
        *(evil, evil, evil),
        [(evil, evil)],
        [figure],
        [NearestMap("main", evil, evil, [evil], [(evil, 1)], [place])],
        evil,
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


def plain(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).replace("&nbsp;", " ").split())


def test_the_title_is_answered_first(html: str) -> None:
    """A grid of each block before the verdicts, with none where none is near."""
    found = html.split('<section id="nearest"')[1].split("</section>")[0]
    assert html.index('<section id="nearest"') < html.index('<section id="verdicts"')
    text = plain(found)
    assert "scale , 30 networks: linearized 90 %, none 7 %, diverged 3 %" in text
    grid = plain(found.split("<table")[1].split("</table>")[0])
    assert "width by scale width 1 3 64 linearized 9 of 10 0.0400 none 10 of 10 ntk 0.310 256" in grid
    assert grid.endswith("diverged 1")
    assert '<td class="m0">' in found
    assert 'class="lost"' in found
    assert '<section id="nearest"' not in render(CLAIMS, BARE, {}, {})


def test_the_colours_of_a_map_are_those_of_its_legend(html: str) -> None:
    """Of what some network converged to, and no other; a block's shares have them too."""
    found = html.split('<section id="nearest"')[1]
    assert plain(found.split('<ul class="legend">')[1].split("</ul>")[0]) == "linearized none not converged"
    shares = found.split('<span class="shares"')[1].split("</span></summary>")[0]
    assert re.findall(r'<span class="(\w*)" style="flex: (\d+)">', shares) == [
        ("m0", "27"),
        ("", "2"),
        ("lost", "1"),
    ]


def test_a_place_holds_its_networks(html: str) -> None:
    """Their loss, their distances from all candidates, the named one strong, and what trains them again."""
    opened = html.split('id="map-init_size-scale-1"')[1].split('<div class="place"')[0]
    assert opened.count("<path ") == opened.count("snakemake --cores 1 results/again/") == 10
    assert "<td>0</td><td>linearized</td><td>78</td><td><b>0.0400</b></td><td>0.310</td>" in opened
    assert "results/again/0000000000000009.nc" in opened
    assert "/0000000000000009.nc --configfile my.yaml</code>" in opened, "with the config of this page"
    lost = html.split('id="map-init_size-scale-3"')[1].split("</details>")[0]
    assert "1 network; none converged" in plain(lost)


def test_curves_are_thinned_and_keep_their_ends() -> None:
    steps = range(1000)
    losses = [0.5**step + 1e-3 for step in steps]
    found = thinned(steps, [*losses[:-1], float("nan")])
    assert len(found) == POINTS
    assert (found[0], found[-1]) == ((0, 1.0), (998, 0.001))
    assert thinned([0, 1], [1.0, float("inf")]) == [(0, 1.0)]
    network = Network("a", "0", "converged", 3, "ntk", [0.1], [(0, 1.0), (9, 0.1), (99, 0.01)])
    place = Place("", "", "", "ntk", 1, 1, "ntk", 0.1, [network])
    (path,), edges = drawn(place)
    assert path == "M1 1l159 54 159 54"  # both logarithmic: straight
    assert edges == ["0.0100", "1.00", "0", "99"]
    assert drawn(dataclasses.replace(place, networks=[])) == ([], [])


def test_a_page_of_2000_networks_is_small(sections: list[StudySection]) -> None:
    """With full curves and six candidates, beside as many figures as the studies have."""
    curve = [(step**2, round(0.9 * 0.7**step, 7)) for step in range(40)]
    names = [f"candidate {n}" for n in range(6)]
    some = [
        Network(f"{n:016x}", str(n), "converged", 1521, names[0], [0.123] * 6, curve[: 40 - n])
        for n in range(10)
    ]
    places = [
        Place("", str(x), str(y), names[0], 9, 10, names[0], 0.1, some) for x in range(20) for y in range(10)
    ]
    study = dataclasses.replace(
        sections[0], nearest=[NearestMap("b", "x", "y", names, [(names[0], 2000)], places)]
    )
    page = render(CLAIMS, [study, *sections[1:]], FACTS, LINKS)
    assert page.count("results/again/") == 2000
    assert len(page.encode()) < 2e6  # the figures of all studies are 1.4 MB


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
